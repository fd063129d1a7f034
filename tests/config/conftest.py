"""Helpers of others, there for one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nfmasq.helpers import registry

from .installed import install_broken, install_telephone


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two helpers of others are installed: telephone, and broken, which cannot be loaded."""
    install_telephone(tmp_path)
    install_broken(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    registry.forget()
    yield tmp_path
    monkeypatch.undo()
    registry.forget()

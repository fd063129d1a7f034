"""A router to run daemons on; the places of the state file and of the copy of the sessions."""

from pathlib import Path

import pytest
from support.daemons import daemon, prepared, router

__all__ = ["daemon", "prepared", "router"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file is to be."""
    return tmp_path / "state"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Where the copy is to be, in a directory that is not there yet."""
    return tmp_path / "lasting" / "sessions"

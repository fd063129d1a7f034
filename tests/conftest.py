"""What every test may count on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.others import forget, install_broken, install_telephone


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker of tests that need root known."""
    config.addinivalue_line("markers", "root: needs root, for network namespaces of its own")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stands on a network of its own needs root."""
    for item in items:
        if "as_root" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.root)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without root such a test fails: skipped in silence, it would look as if it had passed."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.fail("needs root, to make network namespaces: sudo tests/run", pytrace=False)


@pytest.fixture(scope="session")
def as_root() -> None:
    """Asked for by each fixture that makes network namespaces."""


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two helpers of others are installed: telephone, and broken, which cannot be loaded; where they are."""
    where = tmp_path / "installed"
    install_telephone(where)
    install_broken(where)
    monkeypatch.syspath_prepend(str(where))
    forget()
    yield where
    monkeypatch.undo()
    forget()

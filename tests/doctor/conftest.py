"""A fresh router for every test, which lacks nothing, and a place for its state file."""

import os
from collections.abc import Iterator
from pathlib import Path as FilePath

import pytest
from support.path import Path
from support.paths import _forget_the_guard, diversion, path, plan

__all__ = ["_forget_the_guard", "diversion", "path", "plan"]


@pytest.fixture
def state() -> Iterator[FilePath]:
    """A place for the state file on a tmpfs."""
    place = FilePath(f"/dev/shm/nfmasq-test-{os.getpid()}")
    place.mkdir()
    yield place / "state"
    place.rmdir()


@pytest.fixture
def router(path: Path) -> Path:
    """A router that lacks nothing."""
    path.router.ip("route add default via 203.0.113.9")
    return path

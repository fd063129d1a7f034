"""A fresh router for every test of this directory."""

from collections.abc import Iterator

import pytest

from .path import Path


@pytest.fixture
def path() -> Iterator[Path]:
    """A client, a router and a server of this test alone."""
    with Path() as made:
        yield made

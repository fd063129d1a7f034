"""Attacks on a router: some against the bare table, some against a lab with the daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hot.router import Router
from netns.conftest import _nothing_leaks_and_nothing_waits, daemon, lab, net

from nfmasq.lab.lab import Lab

from .ends import Ends

__all__ = ["_nothing_leaks_and_nothing_waits", "daemon", "lab", "net"]

HERE = Path(__file__).parent
NEEDS_ROOT = {"lab", "topology"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has a network needs root."""
    for item in items:
        if HERE in item.path.parents and NEEDS_ROOT.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.root)


@pytest.fixture
def router() -> Router:
    """A bare table: one external address, one internal network, address-dependent filtering."""
    return Router()


@pytest.fixture(scope="module")
def ends(lab: Lab) -> Iterator[Ends]:
    """A client and a server without a stack, on both sides of the lab's router."""
    with Ends(lab.topology) as made:
        yield made

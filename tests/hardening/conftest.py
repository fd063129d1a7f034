"""Attacks on a router: some against the bare table, some against a lab with the daemon."""

from collections.abc import Iterator

import pytest
from netns.conftest import _nothing_leaks_and_nothing_waits, daemon, lab, net
from support.router import Router

from hardening.ends import Ends
from nfmasq.lab.lab import Lab

__all__ = ["_nothing_leaks_and_nothing_waits", "daemon", "lab", "net"]


@pytest.fixture
def router() -> Router:
    """A bare table: one external address, one internal network, address-dependent filtering."""
    return Router()


@pytest.fixture(scope="module")
def ends(lab: Lab) -> Iterator[Ends]:
    """A client and a server without a stack, on both sides of the lab's router."""
    with Ends(lab.topology) as made:
        yield made

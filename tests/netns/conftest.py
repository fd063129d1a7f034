"""End-to-end tests: one lab a module, and after each test what must hold whatever was tested.

A module says how its lab is made in `LAB`, the arguments of `nfmasq.lab.lab.Lab`.
"""

from collections.abc import Iterator

import pytest

from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import Topology
from nfmasq.lab.waiting import wait_until


@pytest.fixture(scope="module")
def lab(as_root: None, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The module's lab, with nfmasq on the router."""
    with Lab(**getattr(request.module, "LAB", {})) as made:
        yield made


@pytest.fixture
def net(lab: Lab) -> Topology:
    """The network of the lab."""
    return lab.topology


@pytest.fixture
def daemon(lab: Lab) -> DaemonUnderLab:
    """nfmasq on the router."""
    assert lab.daemon is not None
    return lab.daemon


@pytest.fixture(autouse=True)
def _nothing_leaks_and_nothing_waits(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no internal address on the WAN, the daemon alive, every packet answered."""
    if "lab" not in request.fixturenames:
        yield
        return
    lab: Lab = request.getfixturevalue("lab")
    yield
    leaks = lab.sentinel.take()
    assert not leaks, "the router let internal addresses out"
    assert lab.daemon is not None
    assert lab.daemon.running, f"the daemon is gone\n{lab.daemon.log}"
    wait_until(lambda: lab.daemon is not None and lab.daemon.waiting() == 0, "the queues to be empty")

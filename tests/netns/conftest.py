"""End-to-end tests: one lab a module, and after each test what must hold whatever was tested.

A module says how its lab is made in `LAB`, the arguments of `nfmasq.lab.lab.Lab`. A test that lays addresses,
routes or rules of its own makes its lab by `make_lab`. The report of a test that fails has a section for each
of its labs (`aftermath`).
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

import pytest
from support.aftermath import aftermath
from support.situations import BY_KERNEL

from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import Masquerade, Topology
from nfmasq.lab.waiting import wait_until

LABS = pytest.StashKey[list[Lab]]()
"""The labs that a test has made for itself."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the routers say to the report of a failure, while they still run."""
    report = yield
    if report.failed:
        shared = getattr(item, "funcargs", {}).get("lab")
        labs = [*([shared] if isinstance(shared, Lab) else []), *item.stash.get(LABS, [])]
        report.sections += [("nfmasq on the router", text) for lab in labs if (text := aftermath(lab))]
    return report


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


class MakeLab(Protocol):
    """Makes a lab from the arguments of `nfmasq.lab.lab.Lab`."""

    def __call__(self, **arguments: Any) -> Lab:
        """The lab, which ends with the test."""


@pytest.fixture
def make_lab(as_root: None, request: pytest.FixtureRequest) -> Iterator[MakeLab]:
    """Make a lab of this test alone; when it ends, what must hold after every test is checked."""
    made: list[Lab] = []
    request.node.stash[LABS] = made

    def make(**arguments: Any) -> Lab:
        masquerade: Masquerade = "kernel" if BY_KERNEL else "none"
        made.append(stack.enter_context(Lab(masquerade=masquerade, megabytes=2, **arguments)))
        return made[-1]

    with ExitStack() as stack:
        yield make
        for lab in made:
            _check(lab)


def _check(lab: Lab) -> None:
    assert not lab.sentinel.take(), "the router let internal addresses out"
    if lab.daemon is not None:
        daemon = lab.daemon
        assert daemon.running, f"the daemon is gone\n{daemon.log}"
        wait_until(lambda: daemon.waiting() == 0, "the queues to be empty")


@pytest.fixture(autouse=True)
def _nothing_leaks_and_nothing_waits(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no internal address on the WAN, the daemon alive, every packet answered."""
    if "lab" not in request.fixturenames:
        yield
        return
    lab: Lab = request.getfixturevalue("lab")
    yield
    assert lab.daemon is not None
    _check(lab)

"""A router to run daemons on: fixtures."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab


@pytest.fixture
def router(as_root: None) -> Iterator[Namespace]:
    """A router with both its sides, and nobody on either."""
    with Namespace("router") as made:
        made.ip(
            "link add lan0 type bridge",
            "link add wan0 type bridge",
            "address add 192.168.1.1/24 dev lan0",
            "address add 203.0.113.2/24 dev wan0",
            "link set lan0 up",
            "link set wan0 up",
        )
        made.sysctl("ipv4/ip_forward", 1)
        yield made


@pytest.fixture
def prepared(router: Namespace) -> Iterator[DaemonUnderLab]:
    """A daemon on the router, configured and not started."""
    daemon = DaemonUnderLab(SimpleNamespace(router=router))  # type: ignore[arg-type]  # it asks for no more
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.__exit__()


@pytest.fixture
def daemon(prepared: DaemonUnderLab) -> DaemonUnderLab:
    """A daemon that runs on the router."""
    prepared.start()
    return prepared

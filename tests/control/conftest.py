"""A control API to ask, and a router to run daemons on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result

from nfmasq.cli import main
from nfmasq.control.client import Client
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab

from .behind import Bare, api_of, filled

NEED_ROOT = {"router", "prepared", "daemon"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What has a router of its own needs root."""
    for item in items:
        if NEED_ROOT.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.root)


@pytest.fixture
def running() -> Bare:
    """What stands behind the API: an empty table."""
    return Bare(filled())


@pytest.fixture
def socket_path(running: Bare, tmp_path: Path) -> Iterator[Path]:
    """The control socket of `running`, served."""
    path = tmp_path / "control.sock"
    with api_of(running, path):
        yield path


@pytest.fixture
def client(socket_path: Path) -> Client:
    """A client of `running`."""
    return Client(str(socket_path))


@pytest.fixture
def command(socket_path: Path) -> Callable[..., Result]:
    """Call a client command of `running`: command("sessions", "--json")."""

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--socket", str(socket_path)])

    return call


@pytest.fixture
def router() -> Iterator[Namespace]:
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

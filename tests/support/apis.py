"""A control API to ask, without a daemon: fixtures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nfmasq.cli import main
from nfmasq.control.client import Client
from support.behind import Bare, api_of, filled


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

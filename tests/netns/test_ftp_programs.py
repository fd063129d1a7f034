"""FTP end to end: real servers and clients, each way they can be told to connect, 50 transfers in a row."""

import hashlib
import os
from pathlib import Path

import pytest

from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1

from .ftp_clients import ACTIVE, FORMS, Client, Task
from .ftp_servers import KINDS, Kind, login_of, serving

LAB = {
    "config": {
        "helpers": {"ftp": True},
        "forward": [{"protocol": "tcp", "external_port": 21, "to": f"{CLIENT1}:21"}],
    }
}
NAMES = [f"file{number:02}" for number in range(25)]
"""As many there as back: 50 transfers."""
WAYS = [(client, form) for client, forms in FORMS.items() for form in forms]


def name_of(value: object) -> str | None:
    """Functions by their names."""
    return getattr(value, "__name__", None)


@pytest.fixture(params=KINDS, ids=name_of)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which server."""
    chosen: Kind = request.param
    return chosen


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].__name__}-{way[1]}")
def way(request: pytest.FixtureRequest) -> tuple[Client, str]:
    """Which client, and by which command."""
    chosen: tuple[Client, str] = request.param
    return chosen


def fill(place: Path) -> None:
    """Files of all sizes up to 75 kB."""
    place.mkdir(exist_ok=True)
    for number, name in enumerate(NAMES):
        (place / name).write_bytes(os.urandom(1 + 3000 * number))


def checksums(place: Path) -> dict[str, str]:
    """Of the files in a directory."""
    present = (name for name in NAMES if (place / name).exists())
    return {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in present}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A client's directory: what it gives, and what it got."""
    fill(tmp_path / "given")
    (tmp_path / "got").mkdir()
    return tmp_path


def transfer(client: Client, form: str, host: Namespace, task: Task, files: Path) -> None:
    """Fifty transfers, on one connection, by the command asked for; all arrive as they were."""
    said = client(host, form, task)
    assert form in said
    assert checksums(task.got) == checksums(files), said
    assert checksums(files / "up") == checksums(task.here / "given"), said


@pytest.fixture
def rewritten(daemon: DaemonUnderLab) -> dict[str, float]:
    """How many messages the helper did what with in the test so far: call it."""

    class Since(dict[str, float]):
        def __missing__(self, result: str) -> float:
            series = f'nfmasq_helper_messages_total{{helper="ftp",result="{result}"}}'
            return daemon.metrics()[series] - before.get(result, 0)

    before: dict[str, float] = {}
    before = {result: Since()[result] for result in ("seen", "rewritten", "refused", "error")}
    return Since()


def test_internal_client(
    way: tuple[Client, str], kind: Kind, lab: Lab, here: Path, rewritten: dict[str, float]
) -> None:
    """Active commands are rewritten, each of the fifty; passive ones need nothing."""
    client, form = way
    with serving(kind, lab.topology.server1) as files:
        fill(files)
        task = Task(SERVER1, login_of(kind), NAMES, here)
        transfer(client, form, lab.topology.client1, task, files)
    assert rewritten["rewritten"] >= (50 if form in ACTIVE else 0)
    assert (rewritten["refused"], rewritten["error"]) == (0, 0)


def test_internal_server(
    way: tuple[Client, str], kind: Kind, lab: Lab, here: Path, rewritten: dict[str, float]
) -> None:
    """Where it listens is rewritten; an active server calls out by itself."""
    client, form = way
    with serving(kind, lab.topology.client1) as files:
        fill(files)
        task = Task(EXTERNAL, login_of(kind), NAMES, here)
        transfer(client, form, lab.topology.server1, task, files)
    assert rewritten["rewritten"] >= (0 if form in ACTIVE else 50)
    assert (rewritten["refused"], rewritten["error"]) == (0, 0)

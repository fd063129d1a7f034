"""FTP end to end: real servers and clients, each way they can be told to connect, 50 transfers in a row.

All clients of a test work in parallel: servers and clients spend most of a transfer waiting for each other.
"""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netns.ftp_clients import ACTIVE, FORMS, Client, Task
from netns.ftp_servers import KINDS, Kind, login_of, serving
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1

LAB = {
    "config": {
        "helpers": {"ftp": True},
        "forward": [{"protocol": "tcp", "external_port": 21, "to": f"{CLIENT1}:21"}],
    }
}
NAMES = [f"file{number:02}" for number in range(25)]
"""As many there as back: 50 transfers."""
TRANSFERS = 2 * len(NAMES)
WAYS = [(client, form) for client, forms in FORMS.items() for form in forms]


def fill(place: Path) -> None:
    """Files of all sizes up to 75 kB."""
    place.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(NAMES):
        (place / name).write_bytes(os.urandom(1 + 3000 * number))


def checksums(place: Path) -> dict[str, str]:
    """Of the files in a directory."""
    present = (name for name in NAMES if (place / name).exists())
    return {name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in present}


def counted(daemon: DaemonUnderLab) -> dict[str, float]:
    """What the helper did with how many messages so far."""
    metrics, series = daemon.metrics(), 'nfmasq_helper_messages_total{{helper="ftp",result="{}"}}'
    return {result: metrics[series.format(result)] for result in ("rewritten", "refused", "error")}


class Bench:
    """Clients of one host at work on one server, in parallel."""

    def __init__(self, host: Namespace, server: IPv4Address, kind: Kind) -> None:
        self.host, self.server, self.login = host, server, login_of(kind)

    def work(self, files: Path, place: Path) -> Mapping[str, str]:
        """Every way there is; what went wrong, by the way."""
        fill(files)
        for client, form in WAYS:
            name = f"{client.__name__}-{form}"
            fill(place / name / "given")
            (place / name / "got").mkdir()
            (files / name).mkdir()
            (files / name).chmod(0o777)
        with ThreadPoolExecutor(len(WAYS)) as pool:
            done = list(pool.map(lambda way: self._transfer(way[0], way[1], files, place), WAYS))
        return {way: complaint for way, complaint in done if complaint}

    def _transfer(self, client: Client, form: str, files: Path, place: Path) -> tuple[str, str]:
        way = f"{client.__name__}-{form}"
        task = Task(self.server, self.login, NAMES, place / way, up=way)
        try:
            said = client(self.host, form, task)
        except Exception as error:
            return way, str(error)
        if form not in said:
            return way, f"it did not say {form}:\n{said}"
        there = checksums(files / way) == checksums(task.here / "given")
        return way, "" if there and checksums(task.got) == checksums(
            files
        ) else f"not the same files:\n{said}"


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which server."""
    chosen: Kind = request.param
    return chosen


def test_internal_clients(kind: Kind, lab: Lab, daemon: DaemonUnderLab, tmp_path: Path) -> None:
    """Active commands are rewritten, each of the fifty; passive ones need nothing."""
    before = counted(daemon)
    with serving(kind, lab.topology.server1) as files:
        assert Bench(lab.topology.client1, SERVER1, kind).work(files, tmp_path) == {}
    after = counted(daemon)
    assert after["rewritten"] - before["rewritten"] >= TRANSFERS * sum(form in ACTIVE for _, form in WAYS)
    assert (after["refused"], after["error"]) == (before["refused"], before["error"])


def test_internal_server(kind: Kind, lab: Lab, daemon: DaemonUnderLab, tmp_path: Path) -> None:
    """Where it listens is rewritten, in each of the fifty replies; an active server calls out by itself."""
    before = counted(daemon)
    with serving(kind, lab.topology.client1) as files:
        assert Bench(lab.topology.server1, EXTERNAL, kind).work(files, tmp_path) == {}
    after = counted(daemon)
    assert after["rewritten"] - before["rewritten"] >= TRANSFERS * sum(form not in ACTIVE for _, form in WAYS)
    assert (after["refused"], after["error"]) == (before["refused"], before["error"])


def test_internal_clients_of_an_internal_server(
    kind: Kind, lab: Lab, daemon: DaemonUnderLab, tmp_path: Path
) -> None:
    """By its external name: active commands are rewritten for the client, passive replies for the server."""
    before = counted(daemon)
    with serving(kind, lab.topology.client1) as files:
        assert Bench(lab.topology.client2, EXTERNAL, kind).work(files, tmp_path) == {}
    after = counted(daemon)
    assert after["rewritten"] - before["rewritten"] >= TRANSFERS * len(WAYS)
    assert (after["refused"], after["error"]) == (before["refused"], before["error"])

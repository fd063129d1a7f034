"""Helpers enabled and disabled on live connections: from the next message on, and no connection breaks."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology

PATIENCE_S = 10.0
FTP = 21


@pytest.fixture(autouse=True)
def _as_the_file_says(daemon: DaemonUnderLab) -> Iterator[None]:
    yield
    daemon.config.pop("helpers", None)
    daemon.config.pop("network", None)
    daemon.write_config({})
    assert daemon.api("/v1/reload", "POST")["reloaded"]


class Control:
    """An FTP control connection, both its ends: what one says the other hears."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near, self.far = near, far

    def say(self, text: bytes) -> bytes:
        """The client says a line; what the server hears."""
        self.near.sendall(text)
        return _line(self.far)

    def answer(self, text: bytes) -> None:
        """The server says a line, and the client hears just that."""
        self.far.sendall(text)
        assert _line(self.near) == text

    def log_in(self) -> None:
        """Up to where a client may announce anything."""
        self.answer(b"220 Ready\r\n")
        for said, answered in ((b"USER u\r\n", b"331 Password\r\n"), (b"PASS p\r\n", b"230 Welcome\r\n")):
            assert self.say(said) == said
            self.answer(answered)

    def announce(self, ending: str = "7,208") -> bytes:
        """PORT with the client's own address; what the server hears."""
        address = str(self.near.getsockname()[0]).replace(".", ",")
        heard = self.say(f"PORT {address},{ending}\r\n".encode())
        self.answer(b"200 Fine\r\n")
        return heard


def _line(end: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = end.recv(1000)
        assert part, f"the connection ended after {line!r}"
        line += part
    return line


@pytest.fixture
def server(net: Topology) -> Iterator[socket.socket]:
    """SERVER1 listens on the FTP port."""
    with net.server1.call(socket.create_server, ("", FTP)) as listening:
        listening.settimeout(PATIENCE_S)
        yield listening


@contextmanager
def control(client: Namespace, server: socket.socket) -> Iterator[Control]:
    """A client's control connection to SERVER1."""
    with client.call(socket.create_connection, (str(SERVER1), FTP), PATIENCE_S) as near:
        far, _ = server.accept()
        with far:
            far.settimeout(PATIENCE_S)
            yield Control(near, far)


def helper(daemon: DaemonUnderLab, name: str = "ftp") -> dict[str, Any]:
    """What the API says of a helper."""
    rows: list[dict[str, Any]] = daemon.api("/v1/helpers")["helpers"]
    return next(row for row in rows if row["name"] == name)


def rewritten(heard: bytes) -> bool:
    """Did the server hear an external endpoint, and not an internal one?"""
    external = str(EXTERNAL).replace(".", ",").encode()
    assert heard.startswith((b"PORT " + external + b",", b"PORT 192,168,"))
    return external in heard


def test_it_rewrites_and_counts_and_the_session_says_who_reads_it(
    net: Topology, daemon: DaemonUnderLab, server: socket.socket
) -> None:
    before = helper(daemon)
    with control(net.client1, server) as ftp:
        ftp.log_in()
        assert rewritten(ftp.announce())
        now = helper(daemon)
        assert (now["enabled"], now["networks"], now["ports"], now["sessions"]) == (True, [], [21], 1)
        for result in ("seen", "rewritten"):
            assert now["messages"][result] == before["messages"][result] + 1
        (row,) = daemon.api("/v1/sessions?helper=ftp&protocol=tcp&host=" + str(SERVER1) + "&port=21")[
            "sessions"
        ]
        assert (row["helper"], row["remote"]) == ("ftp", f"{SERVER1}:{FTP}")
        assert daemon.api("/v1/sessions?helper=irc")["sessions"] == []
        series = daemon.metrics()
        assert series['nfmasq_helper_enabled{helper="ftp"}'] == 1
        assert series['nfmasq_helper_sessions{helper="ftp"}'] == 1
        assert series["nfmasq_expectations"] >= 1
        assert series['nfmasq_helper_duration_seconds_count{helper="ftp"}'] >= 4
        assert ftp.announce("1,1").startswith(b"PORT 192,168,"), "port 257 was let in"
        assert helper(daemon)["refused"]["privileged"] == before["refused"]["privileged"] + 1
    assert series['nfmasq_helper_messages_total{helper="ftp",result="rewritten"}'] >= 1


def test_disabled_a_live_connection_goes_on_unread(
    net: Topology, daemon: DaemonUnderLab, server: socket.socket
) -> None:
    with control(net.client1, server) as ftp:
        ftp.log_in()
        assert rewritten(ftp.announce())
        assert daemon.cli("helpers", "disable", "ftp") == "helper ftp disabled\n"
        assert not rewritten(ftp.announce())
        assert ftp.say(b"NOOP\r\n") == b"NOOP\r\n"
        daemon.cli("helpers", "enable", "ftp")
        assert not rewritten(ftp.announce()), (
            "what had begun to be read was left, and is read from its middle"
        )
        with control(net.client1, server) as other:
            other.log_in()
            assert rewritten(other.announce())
        ftp.answer(b"221 Bye\r\n")


def test_one_network_has_it_disabled_and_the_others_enabled(
    net: Topology, daemon: DaemonUnderLab, server: socket.socket
) -> None:
    with control(net.client1, server) as one:
        one.log_in()
        assert daemon.cli("helpers", "disable", "ftp", "--internal", f"{CLIENT1}/32") == (
            f"helper ftp disabled for {CLIENT1}/32\n"
        )
        assert not rewritten(one.announce())
        assert helper(daemon)["networks"] == [{"cidr": f"{CLIENT1}/32", "enabled": False}]
        with control(net.client1, server) as again:
            again.log_in()
            assert not rewritten(again.announce())
            session = f"/v1/sessions?host={CLIENT1}&port={again.near.getsockname()[1]}"
            assert daemon.api(session)["sessions"][0]["helper"] is None
        with control(net.client2, server) as other:
            other.log_in()
            assert rewritten(other.announce())


def test_a_reload_brings_back_what_the_file_says(
    net: Topology, daemon: DaemonUnderLab, server: socket.socket
) -> None:
    daemon.cli("helpers", "disable", "ftp")
    daemon.cli("helpers", "enable", "irc", "--internal", "192.168.1.0/24")
    daemon.write_config({
        "helpers": {"ftp": True},
        "network": [{"cidr": f"{CLIENT2}/32", "mapping": "endpoint-independent"}],
    })  # fmt: skip
    with daemon.config_path.open("a", encoding="utf-8") as file:
        file.write("helpers = { ftp = false }\n")
    assert daemon.api("/v1/reload", "POST")["reloaded"]
    assert helper(daemon)["networks"] == [{"cidr": f"{CLIENT2}/32", "enabled": False}]
    assert (helper(daemon, "irc")["enabled"], helper(daemon, "irc")["networks"]) == (False, [])
    for client, helped in ((net.client1, True), (net.client2, False)):
        with control(client, server) as ftp:
            ftp.log_in()
            assert rewritten(ftp.announce()) == helped


def test_the_daemon_ends_soon_while_a_connection_is_read(
    net: Topology, daemon: DaemonUnderLab, server: socket.socket
) -> None:
    daemon.kill()
    daemon.start("--keep-rules")
    with control(net.client1, server) as ftp:
        ftp.log_in()
        assert rewritten(ftp.announce())
        ftp.near.sendall(b"PORT 192,")  # the engine waits for the rest of it
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
        daemon.start()
    with control(net.client1, server) as ftp:
        ftp.log_in()
        assert rewritten(ftp.announce())
        daemon.kill()
        daemon.start()
    with control(net.client1, server) as ftp:
        ftp.log_in()
        assert rewritten(ftp.announce())


def test_a_connection_that_was_never_rewritten_outlives_the_daemon(
    net: Topology, daemon: DaemonUnderLab, server: socket.socket
) -> None:
    with control(net.client1, server) as ftp:
        ftp.log_in()
        daemon.kill()
        daemon.start()
        assert ftp.say(b"NOOP\r\n") == b"NOOP\r\n"
        ftp.answer(b"200 Fine\r\n")

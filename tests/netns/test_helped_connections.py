"""Connections that a helper reads, through the daemon: real TCP on both ends, and the skeleton's protocol.

The helper is installed as one of others would be. The external address is written with more letters than the
internal one, so segments grow.
"""

import hashlib
import random
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.others import install

from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab, Overrides
from nfmasq.lab.topology import CLIENT1, SERVER1, Topology
from nfmasq.lab.waiting import wait_until

PORT = 7300
PATIENCE_S = 10.0
APPEARS = IPv4Address("203.0.113.201")
CONFIG: Overrides = {
    "nat": {"addresses": [str(APPEARS)]},
    "helpers": {"meet": True},
    "forward": [{"protocol": "tcp", "external_port": str(PORT), "to": f"{CLIENT1}:{PORT}"}],
}
HELLO = b"HELLO\r\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose daemon has the skeleton as a helper of others."""
    where = tmp_path_factory.mktemp("packages")
    install(where, "meet", "from nfmasq.helpers.kit.skeleton import Meet\n", "Meet")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(where))
        with Lab(config=CONFIG, also_external=(APPEARS,)) as made:
            made.topology.router.ip(f"route add local {APPEARS}/32 dev lo")
            yield made


@contextmanager
def listening(host: Namespace, port: int) -> Iterator[socket.socket]:
    """A TCP socket of a host that listens."""

    def make() -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(PATIENCE_S)
        made.bind(("", port))
        made.listen()
        return made

    with host.call(make) as made:
        yield made


@contextmanager
def connection(near: Namespace, address: IPv4Address, far: Namespace) -> Iterator[tuple[Any, Any]]:
    """A TCP connection to PORT of an address, which ends at `far`: both ends, who began it first."""
    with (
        listening(far, PORT) as server,
        near.call(socket.create_connection, (str(address), PORT), PATIENCE_S) as begun,
    ):
        taken, _ = server.accept()
        with taken:
            taken.settimeout(PATIENCE_S)
            yield begun, taken


def line_of(end: socket.socket) -> bytes:
    """The next line."""
    line = b""
    while not line.endswith(b"\n"):
        came = end.recv(1)
        assert came, "the connection ended"
        line += came
    return line


def meet(address: IPv4Address, port: int) -> bytes:
    """A line of the protocol."""
    return b"MEET %s %d\r\n" % (str(address).encode(), port)


def place_in(line: bytes) -> tuple[str, int]:
    """The endpoint in such a line."""
    match = re.fullmatch(rb"MEET (\S+) (\d+)\r\n", line)
    assert match, line
    return match[1].decode(), int(match[2])


def call_back(caller: Namespace, place: tuple[str, int], host: socket.socket) -> None:
    """Call an announced endpoint, and be heard there."""
    with caller.call(socket.create_connection, place, PATIENCE_S) as near:
        far, _ = host.accept()
        with far:
            far.settimeout(PATIENCE_S)
            near.sendall(b"here I am")
            assert far.recv(100) == b"here I am"


def greet(near: socket.socket, far: socket.socket) -> None:
    """Both sides say HELLO."""
    near.sendall(HELLO)
    far.sendall(HELLO)
    assert (line_of(far), line_of(near)) == (HELLO, HELLO)


def test_a_server_calls_an_inside_client(net: Topology) -> None:
    with connection(net.client1, SERVER1, net.server1) as (near, far), listening(net.client1, 5000) as host:
        greet(near, far)
        near.sendall(meet(CLIENT1, 5000))
        place = place_in(line_of(far))
        assert place[0] == str(APPEARS)
        call_back(net.server1, place, host)


def test_an_outside_client_calls_an_inside_server(net: Topology) -> None:
    with (
        connection(net.server1, APPEARS, net.client1) as (begun, inside),
        listening(net.client1, 5000) as host,
    ):
        greet(begun, inside)
        inside.sendall(meet(CLIENT1, 5000))
        place = place_in(line_of(begun))
        assert place[0] == str(APPEARS)
        call_back(net.server1, place, host)


@pytest.mark.parametrize("early", [True, False], ids=["early", "when acknowledged"])
@pytest.mark.parametrize("cut", [3, 5, 9, 18, 23, 24])
def test_a_line_in_two_segments(net: Topology, cut: int, early: bool) -> None:
    line = meet(CLIENT1, 5000)
    with connection(net.client1, SERVER1, net.server1) as (near, far), listening(net.client1, 5000) as host:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, early)
        greet(near, far)
        near.sendall(line[:cut])
        near.sendall(line[cut:])
        call_back(net.server1, place_in(line_of(far)), host)


def test_thousands_of_corrections_both_ways(net: Topology) -> None:
    """Both ends send megabytes, one with an endpoint in every kilobyte."""
    chance = random.Random(1)
    filler = [b"%0*d\r\n" % (chance.randrange(200, 480), nth) for nth in range(8000)]
    speech = b"".join(text if nth % 2 else meet(CLIENT1, 5000 + nth % 3) for nth, text in enumerate(filler))
    answer = b"".join(filler)
    heard: dict[str, bytes] = {}
    with connection(net.client1, SERVER1, net.server1) as (near, far):
        greet(near, far)
        ends = [
            threading.Thread(target=listen_to, args=(far, heard, "far")),
            threading.Thread(target=listen_to, args=(near, heard, "near")),
            threading.Thread(target=far.sendall, args=(answer,)),
        ]
        for end in ends:
            end.start()
        at = 0
        while at < len(speech):
            size = chance.choice([1, 20, 700, 5000, 60000])
            near.sendall(speech[at : at + size])
            at += size
        near.shutdown(socket.SHUT_WR)
        ends[2].join()
        far.shutdown(socket.SHUT_WR)
        for end in ends:
            end.join()
    assert hashlib.sha256(heard["near"]).digest() == hashlib.sha256(answer).digest()
    places = dict.fromkeys(re.findall(rb"MEET (\S+ \d+)", heard["far"]))
    assert len(places) == 3
    expected = speech
    for nth, place in enumerate(places):
        expected = expected.replace(meet(CLIENT1, 5000 + (2 * nth) % 3), b"MEET " + place + b"\r\n")
    assert hashlib.sha256(heard["far"]).digest() == hashlib.sha256(expected).digest()


def listen_to(end: socket.socket, heard: dict[str, bytes], name: str) -> None:
    """Hear all there is."""
    heard[name] = b"".join(iter(lambda: end.recv(65536), b""))


def test_switched_off_the_connection_goes_on(net: Topology, daemon: DaemonUnderLab) -> None:
    with connection(net.client1, SERVER1, net.server1) as (near, far):
        greet(near, far)
        near.sendall(meet(CLIENT1, 5000))
        assert place_in(line_of(far))[0] == str(APPEARS)
        daemon.api("/v1/helpers/meet", "PUT", {"enabled": False})
        try:
            near.sendall(meet(CLIENT1, 5000))
            assert line_of(far) == meet(CLIENT1, 5000)
            near.sendall(b"MEET that is all\r\n")
            far.sendall(b"well\r\n")
            assert (line_of(far), line_of(near)) == (b"MEET that is all\r\n", b"well\r\n")
        finally:
            daemon.api("/v1/helpers/meet", "PUT", {"enabled": True})
        near.sendall(meet(CLIENT1, 5000))
        assert line_of(far) == meet(CLIENT1, 5000)


@contextmanager
def switched_off(daemon: DaemonUnderLab) -> Iterator[None]:
    """The helper is disabled, and reads nothing more."""
    daemon.api("/v1/helpers/meet", "PUT", {"enabled": False})
    yield
    daemon.api("/v1/helpers/meet", "PUT", {"enabled": True})


def go_on(near: socket.socket, far: socket.socket, number: int) -> None:
    """Both ends say more than fits into a window, and each hears just that."""
    heard: dict[str, bytes] = {}
    said = {"far": b"%d\r\n" % number * 100_000, "near": b"so\r\n" * 100_000}

    def hear(end: socket.socket, name: str) -> None:
        heard[name] = b""
        while len(heard[name]) < len(said[name]):
            heard[name] += end.recv(65536)

    threads = [
        threading.Thread(target=hear, args=(far, "far")),
        threading.Thread(target=hear, args=(near, "near")),
        threading.Thread(target=near.sendall, args=(said["far"],)),
        threading.Thread(target=far.sendall, args=(said["near"],)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == said


def test_a_rewritten_connection_goes_on_in_the_fast_path_and_outlives_the_daemon(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    with connection(net.client1, SERVER1, net.server1) as (near, far):
        greet(near, far)
        near.sendall(meet(CLIENT1, 5000) * 500)
        for _ in range(500):
            assert place_in(line_of(far))[0] == str(APPEARS)
        assert helped(daemon)
        with switched_off(daemon):
            wait_until(lambda: not helped(daemon), "the core to go on alone")
            go_on(near, far, 1)
            daemon.kill()
            daemon.start()
            go_on(near, far, 2)


def test_a_connection_that_is_read_goes_on_without_a_helper_when_the_daemon_was_killed(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    with connection(net.server1, APPEARS, net.client1) as (far, near):
        greet(near, far)
        near.sendall(meet(CLIENT1, 5000))
        assert place_in(line_of(far))[0] == str(APPEARS)
        daemon.kill()
        far.sendall(b"are you there?\r\n")
        daemon.start()
        assert line_of(near) == b"are you there?\r\n"
        go_on(near, far, 1)
        assert not helped(daemon)


def test_who_speaks_otherwise_costs_nothing_more(net: Topology, daemon: DaemonUnderLab) -> None:
    with connection(net.client1, SERVER1, net.server1) as (near, far):
        near.sendall(b"POST / HTTP/1.1\r\n" + meet(CLIENT1, 5000))
        assert line_of(far) == b"POST / HTTP/1.1\r\n"
        assert line_of(far) == meet(CLIENT1, 5000)
        (row,) = [each for each in daemon.api("/v1/helpers")["helpers"] if each["name"] == "meet"]
        wait_until(lambda: not helped(daemon), "the helper to leave the session")
        assert row["messages"]["error"] == 0


def helped(daemon: DaemonUnderLab) -> list[Any]:
    """The sessions with PORT that have a helper."""
    rows = daemon.api(f"/v1/sessions?port={PORT}")["sessions"]
    return [row for row in rows if row["helper"] and row["state"] == "established"]

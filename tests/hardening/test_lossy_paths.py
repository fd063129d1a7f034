"""Real TCP over paths that lose packets before the router and behind it: nothing it sends is dropped.

What correct ends do is simulated in test_any_traffic.py; here the ends are the kernel's own.
"""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nfmasq.lab.clients import connections, download, upload
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import SERVER1, Topology
from nfmasq.lab.waiting import wait_until

EVERY = 97
"""Which packet is lost: a prime, so that it is another one of each burst."""
NEVER = ("tcp_out_of_window", "tcp_no_session", "icmp_quote_out_of_window")


@contextmanager
def _losing(*places: tuple[Namespace, str]) -> Iterator[None]:
    """Lose one packet in EVERY in these chains of these hosts."""
    rule = ["-m", "statistic", "--mode", "nth", "--every", str(EVERY), "--packet", "5", "-j", "DROP"]
    for host, chain in places:
        host.run("iptables", "-A", chain, *rule)
    try:
        yield
        for host, chain in places:
            lost = host.run("iptables", "-nvxL", chain).splitlines()[2].split()[0]
            assert int(lost) > 0, "nothing was lost: the test shows nothing"
    finally:
        for host, chain in places:
            host.run("iptables", "-D", chain, *rule)


def _dropped(daemon: DaemonUnderLab) -> dict[str, int]:
    drops = daemon.drops()
    return {reason: drops.get(reason, 0) for reason in NEVER}


@pytest.fixture(autouse=True)
def _nothing_true_is_dropped(daemon: DaemonUnderLab) -> Iterator[None]:
    before = _dropped(daemon)
    yield
    assert _dropped(daemon) == before


@pytest.mark.parametrize("way", ["down", "up"])
@pytest.mark.parametrize("where", ["at the client", "at the server", "everywhere"])
def test_a_transfer_that_loses_packets_arrives_whole(way: str, where: str, net: Topology, lab: Lab) -> None:
    """Window tracking too strict.

    Data and acknowledgments are lost before the NAT and behind it: retransmissions, SACK, probes.
    """
    places = {
        "at the client": [(net.client1, "INPUT"), (net.client1, "OUTPUT")],
        "at the server": [(net.server1, "INPUT"), (net.server1, "OUTPUT")],
    }
    chosen = places.get(where) or [place for each in places.values() for place in each]
    with _losing(*chosen):
        done = download(net.client1, SERVER1) if way == "down" else upload(net.client1, SERVER1, lab.payload)
    assert done.sha256 == lab.payload.sha256


def test_handshakes_and_closes_that_lose_packets_pass(net: Topology) -> None:
    """SYN on a stale tuple, challenge ACK, SYN-ACK retransmit.

    Many short connections: SYNs, their answers and FINs are lost among others.
    """
    with _losing((net.client2, "INPUT"), (net.server1, "INPUT")):
        seen, _ = connections(net.client2, SERVER1, 60)
    assert seen


def test_a_reader_that_stops_is_probed_and_goes_on(net: Topology, daemon: DaemonUnderLab) -> None:
    """Window tracking too strict.

    The window closes, is probed by the server's kernel, and opens again.
    """
    with net.client1.call(socket.create_connection, (str(SERVER1), 80), 5) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.sendall(b"GET /file HTTP/1.0\r\n\r\n")
        where = f"/v1/sessions?protocol=tcp&port={reader.getsockname()[1]}"

        def packets() -> int:
            (row,) = daemon.api(where)["sessions"]
            return int(row["packets_in"])

        before = packets()
        wait_until(lambda: packets() > before + 3, "a full buffer and probes", patience=20)
        received = 0
        while received < 1 << 20:
            received += len(reader.recv(65536))


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_connection_that_is_reset_is_reset_for_the_other_end(
    who: str, net: Topology, daemon: DaemonUnderLab
) -> None:
    """Blind RST removes a mapping.

    A true one, by a real kernel, passes at once and counts.
    """
    with net.server1.call(socket.create_server, (str(SERVER1), 8099)) as listener:
        near: socket.socket = net.client1.call(socket.create_connection, (str(SERVER1), 8099), 5)
        far, _ = listener.accept()
        one, other = (near, far) if who == "client" else (far, near)
        with other:
            one.sendall(b"data")
            assert other.recv(10) == b"data"
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()
            other.settimeout(5)
            with pytest.raises(ConnectionResetError):
                other.recv(10)
    (row,) = daemon.api("/v1/sessions?protocol=tcp&port=8099")["sessions"]
    assert row["state"] == "reset"
    daemon.cli("flush", "--all")

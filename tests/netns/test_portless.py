"""Protocols without ports (here GRE): translated by address, for one internal host per remote host."""

import socket
from ipaddress import IPv4Address

from nfmasq.lab.clients import ping
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

GRE = socket.IPPROTO_GRE
GRE_HEADER = bytes.fromhex("00000800")


def _raw(namespace: Namespace) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, GRE)
        sock.settimeout(3)
        return sock

    made: socket.socket = namespace.call(make)
    return made


def _payload(sock: socket.socket) -> tuple[str, bytes]:
    packet, (source, _) = sock.recvfrom(65535)
    return source, packet[20 + len(GRE_HEADER) :]


def _send(sock: socket.socket, to: IPv4Address, data: bytes) -> None:
    sock.sendto(GRE_HEADER + data, (str(to), 0))


def test_gre_goes_out_and_its_answer_comes_back(net: Topology) -> None:
    with _raw(net.client1) as client, _raw(net.server1) as server:
        _send(client, SERVER1, b"question")
        assert _payload(server) == (str(EXTERNAL), b"question")
        _send(server, EXTERNAL, b"answer")
        assert _payload(client) == (str(SERVER1), b"answer")


def test_a_second_host_is_refused_the_same_remote_and_nothing_is_mixed(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    with _raw(net.client1) as first, _raw(net.client2) as second, _raw(net.server1) as server:
        _send(first, SERVER1, b"mine")
        assert _payload(server)[1] == b"mine"
        before = daemon.drops().get("portless_remote_taken", 0)
        _send(second, SERVER1, b"mine too")
        wait_until(
            lambda: daemon.drops().get("portless_remote_taken", 0) == before + 1, "the refusal to be counted"
        )
        _send(first, SERVER1, b"still mine")
        assert _payload(server)[1] == b"still mine"
        _send(server, EXTERNAL, b"answer")
        assert _payload(first) == (str(SERVER1), b"answer")


def test_the_second_host_may_speak_with_another_remote(net: Topology) -> None:
    with _raw(net.client2) as client, _raw(net.server2) as server:
        _send(client, SERVER2, b"question")
        assert _payload(server) == (str(EXTERNAL), b"question")
        _send(server, EXTERNAL, b"answer")
        assert _payload(client) == (str(SERVER2), b"answer")


def test_a_stranger_reaches_nobody_behind_the_router(net: Topology) -> None:
    with _raw(net.isp) as stranger, Wire(net.lan, "router") as wire:
        _send(stranger, EXTERNAL, b"hello?")
        assert ping(net.client1, SERVER1, count=1).received == 1
        assert not [packet for packet in wire.seen() if packet[9] == GRE]


def test_the_session_names_protocol_and_host(net: Topology, daemon: DaemonUnderLab) -> None:
    with _raw(net.client1) as client, _raw(net.server1) as server:
        _send(client, SERVER1, b"question")
        _payload(server)
    rows = daemon.api("/v1/sessions?protocol=gre")["sessions"]
    assert (f"{CLIENT1}:0", f"{SERVER1}:0") in {(row["internal"], row["remote"]) for row in rows}

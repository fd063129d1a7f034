"""Which hosts get an ICMP refusal, when, and which do not."""

import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address

import pytest

from nfmasq.lab.clients import ask, ping
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import Endpoint
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, ROUTER_INTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.wire import Wire

HOST_UNREACHABLE, PORT_UNREACHABLE, PROHIBITED = 1, 3, 13
PATIENCE_S = 6
MOST = 4
"""Sessions a host may have, or ports there are, in a test that comes to an end of them."""
NOBODYS_PORT = 31000
Change = Callable[..., None]
BEFORE_A_SYN_IS_REPEATED_S = 0.9


@pytest.fixture
def change(daemon: DaemonUnderLab) -> Iterator[Change]:
    """Lay sections over the configuration until the end of the test."""
    before = {section: dict(values) for section, values in daemon.config.items()}
    daemon.cli("flush", "--all")

    def reload(**sections: dict[str, object]) -> None:
        daemon.write_config(sections)
        daemon.cli("reload")

    yield reload
    daemon.config = before
    reload()


def _use_up(host: Namespace) -> None:
    """Begin as many sessions as there may be."""
    for port in range(5000, 5000 + MOST):
        assert ask(host, (SERVER1, 7), b"x", source_port=port)


def _connect(host: Namespace, to: Endpoint, patience: float) -> socket.socket:
    """A TCP connection; OSError if it fails, TimeoutError if nothing is heard in time."""

    def connect() -> socket.socket:
        return socket.create_connection((str(to[0]), to[1]), patience)

    made: socket.socket = host.call(connect)
    return made


def _error_code(host: Namespace, to: Endpoint, interface: str = "eth0") -> tuple[int, IPv4Address]:
    """Fail to connect, at once; the code of the ICMP error that says so, and its sender."""
    with Wire(host, interface) as wire:
        with pytest.raises(OSError) as failed:
            _connect(host, to, BEFORE_A_SYN_IS_REPEATED_S)
        assert failed.value.errno == errno.EHOSTUNREACH
        told = wire.expect(_is_unreachable)
    return told[21], IPv4Address(told[12:16])


def _is_unreachable(packet: bytes) -> bool:
    return packet[9] == socket.IPPROTO_ICMP and packet[20] == 3


def _is_about(packet: bytes, port: int) -> bool:
    """Does it say that a packet to this port was refused?"""
    return _is_unreachable(packet) and int.from_bytes(packet[50:52]) == port


def test_a_host_at_its_limit_is_told_at_once_and_others_notice_nothing(net: Topology, change: Change) -> None:
    change(limits={"sessions_per_host": MOST})
    _use_up(net.client1)
    assert _error_code(net.client1, (SERVER1, 80)) == (PROHIBITED, ROUTER_INTERNAL)
    _connect(net.client2, (SERVER1, 80), 3).close()


def test_curl_gives_up_at_once(net: Topology, change: Change) -> None:
    change(limits={"sessions_per_host": MOST})
    _use_up(net.client1)
    said = net.client1.run("curl", "-sS", "-m", "10", f"http://{SERVER1}/seen", check=False)
    assert "No route to host" in said or "Couldn't connect" in said
    assert "timed out" not in said.lower()


def test_a_datagram_s_sender_is_told(net: Topology, change: Change) -> None:
    change(limits={"sessions_per_host": MOST})
    _use_up(net.client1)
    with net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.settimeout(3)
        sender.connect((str(SERVER1), 7))
        sender.send(b"one too many")
        with pytest.raises(OSError, match="No route to host"):
            sender.recv(100)


def test_a_ping_s_sender_is_told(net: Topology, change: Change) -> None:
    change(limits={"sessions_per_host": MOST})
    _use_up(net.client1)
    assert "Packet filtered" in ping(net.client1, SERVER1, count=1).said


def test_when_no_port_is_left_the_host_counts_as_unreachable(net: Topology, change: Change) -> None:
    change(nat={"ports": f"2000-{2000 + 2 * MOST - 1}"})
    with ExitStack() as stack:
        for _ in range(2 * MOST):
            stack.enter_context(_connect(net.client1, (SERVER1, 80), 3))
        assert _error_code(net.client1, (SERVER1, 80)) == (HOST_UNREACHABLE, ROUTER_INTERNAL)


def test_nobody_is_told_where_refusals_are_off(net: Topology, change: Change) -> None:
    change(limits={"sessions_per_host": MOST}, nat={"refusals": False})
    _use_up(net.client1)
    with pytest.raises(TimeoutError):
        _connect(net.client1, (SERVER1, 80), BEFORE_A_SYN_IS_REPEATED_S)


def test_an_unsolicited_syn_is_answered_by_silence_and_then_by_port_unreachable(net: Topology) -> None:
    """RFC 5382 REQ-4: not within six seconds. The caller's own kernel makes an error of it."""
    with Wire(net.server1, "eth0") as wire:
        begin = time.monotonic()
        with pytest.raises(ConnectionRefusedError):
            _connect(net.server1, (EXTERNAL, NOBODYS_PORT), 20)
        assert time.monotonic() - begin >= PATIENCE_S
        answers = [packet for packet in wire.seen() if packet[12:16] == EXTERNAL.packed]
    assert _is_about(answers[0], NOBODYS_PORT)
    assert answers[0][21] == PORT_UNREACHABLE


def _mapped(host: Namespace, port: int) -> Endpoint:
    """The external endpoint of a TCP port, which has spoken with server2 alone."""

    def speak() -> bytes:
        with socket.create_connection((str(SERVER2), 80), 3, (str(CLIENT1), port)) as web:
            web.sendall(b"GET /seen HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
            return b"".join(iter(lambda: web.recv(4096), b""))

    address, external = host.call(speak).rpartition(b"\r\n")[2].decode().split()
    return IPv4Address(address), int(external)


def test_a_syn_that_meets_its_counterpart_is_answered_by_nobody_but_the_client(net: Topology) -> None:
    """Both call each other; the one from outside comes first and is filtered. No error may end the other."""
    inner, outer = 5900, 5901
    external = _mapped(net.client1, inner)

    def call(own: IPv4Address, port: int, to: Endpoint) -> socket.socket:
        with ExitStack() as stack:
            caller = stack.enter_context(socket.socket())
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            caller.bind((str(own), port))
            caller.settimeout(10)
            caller.connect((str(to[0]), to[1]))
            stack.pop_all()
            return caller

    made: list[socket.socket] = []
    with Wire(net.server1, "eth0") as wire:
        outside = threading.Thread(
            target=lambda: made.append(net.server1.call(call, SERVER1, outer, external))
        )
        outside.start()
        wire.expect(lambda packet: packet[12:16] == SERVER1.packed and packet[9] == socket.IPPROTO_TCP)
        made.append(net.client1.call(call, CLIENT1, inner, (SERVER1, outer)))
        outside.join()
        one, other = made
        with one, other:
            one.sendall(b"met")
            assert other.recv(100) == b"met"
            with pytest.raises(TimeoutError):
                wire.expect(lambda packet: _is_about(packet, external[1]), patience=PATIENCE_S + 2)

"""ICMP errors that go out: the quoted packet must name the external endpoint, whoever wrote the error."""

import socket
from ipaddress import IPv4Address

from scapy.layers.inet import ICMP, IP

from nfmasq.lab.clients import ask
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import EXTERNAL, SERVER1, Topology
from nfmasq.lab.wire import Wire

PORT_UNREACHABLE, TIME_EXCEEDED = (3, 3), (11, 0)
LASTING_ONE_HOP = 1


def _mapped(client: Namespace, source_port: int) -> tuple[IPv4Address, int]:
    """The external endpoint of a client's UDP port, whose socket is closed again."""
    address, port, _ = ask(client, (SERVER1, 53), b"who", source_port=source_port).split()
    return IPv4Address(address.decode()), int(port)


def _send_from_server(net: Topology, to: tuple[IPv4Address, int], lifetime: int = 64) -> None:
    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, lifetime)
            sock.bind(("", 5300))
            sock.sendto(b"late answer", (str(to[0]), to[1]))

    net.server1.call(send)


def _error_at_server(net: Topology, to: tuple[IPv4Address, int], lifetime: int = 64) -> IP:
    with Wire(net.server1, "eth0") as wire:
        _send_from_server(net, to, lifetime)
        return IP(wire.expect(lambda packet: packet[9] == socket.IPPROTO_ICMP))


def _check(error: IP, kind: tuple[int, int], mapped: tuple[IPv4Address, int]) -> None:
    quoted = error[ICMP].payload
    assert (error[ICMP].type, error[ICMP].code) == kind
    assert (error.src, error.dst) == (str(EXTERNAL), str(SERVER1))
    assert (quoted.src, quoted.dst) == (str(SERVER1), str(mapped[0]))
    assert (quoted.payload.sport, quoted.payload.dport) == (5300, mapped[1])
    for layer, at in ((error, 10), (error[ICMP], 2), (quoted, 10)):
        right = layer.copy()
        del right.chksum
        assert bytes(right)[at : at + 2] == bytes(layer)[at : at + 2], f"checksum of {layer.name}"


def test_a_client_refuses_a_datagram_and_the_server_learns_it(net: Topology) -> None:
    mapped = _mapped(net.client1, 4100)
    _check(_error_at_server(net, mapped), PORT_UNREACHABLE, mapped)


def test_the_server_s_socket_gets_the_refusal(net: Topology) -> None:
    """The server's own kernel finds the socket the error is about."""
    mapped = _mapped(net.client2, 4101)

    def told() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(3)
            sock.connect((str(mapped[0]), mapped[1]))
            sock.send(b"anybody there?")
            try:
                sock.recv(1)
            except ConnectionRefusedError:
                return True
        return False

    assert net.server1.call(told)


def test_the_router_s_own_time_exceeded_about_an_inbound_packet_hides_the_client(net: Topology) -> None:
    mapped = _mapped(net.client1, 4102)
    _check(_error_at_server(net, mapped, LASTING_ONE_HOP), TIME_EXCEEDED, mapped)


def test_the_router_s_own_host_unreachable_about_an_inbound_packet_hides_the_client(net: Topology) -> None:
    mapped = _mapped(net.client2, 4103)
    net.client2.ip("link set eth0 arp off")
    net.router.ip("neighbour flush dev lan0")
    try:
        with Wire(net.server1, "eth0") as wire:
            _send_from_server(net, mapped)
            error = IP(wire.expect(lambda packet: packet[9] == socket.IPPROTO_ICMP, patience=6))
        _check(error, (3, 1), mapped)
    finally:
        net.client2.ip("link set eth0 arp on")

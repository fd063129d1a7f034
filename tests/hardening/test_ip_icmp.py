"""IP's own fields and ICMP through the real path: lifetimes, options, errors true and forged."""

import struct
from collections.abc import Callable
from typing import NamedTuple

import pytest
from support.packets import (
    ACK,
    ECHO_REPLY,
    EXCEEDED,
    HEADER,
    REDIRECT,
    SYN,
    UNREACHABLE,
    checksum,
    error,
    ip_sum_is_right,
    l4_at,
    put,
    query,
    quote_of,
    read,
    sums_are_right,
    udp,
    word,
)

from hardening.ends import CLIENT, OTHER_CLIENT, SERVER, Ends
from hardening.pieces import numbered
from hardening.segments import segment
from nfmasq.lab.clients import ask
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import EXTERNAL, ROUTER_INTERNAL, SERVER1, Topology

FRAGMENTATION_NEEDED = 4
PORT = 1500
LIFETIME_AT, CHECK_AT = 8, 10


class Exchange(NamedTuple):
    """One packet each way of a session that stands. sent: the outbound one as it arrived."""

    out: bytes
    sent: bytes
    into: bytes


def with_lifetime(packet: bytes, lifetime: int) -> bytes:
    """The packet with this TTL, its header's checksum right."""
    changed = put(put(packet, LIFETIME_AT, bytes([lifetime])), CHECK_AT, b"\0\0")
    return put(changed, CHECK_AT, word(checksum(changed[: l4_at(changed)])))


def with_options(packet: bytes, options: bytes) -> bytes:
    """The packet with these IP options (RFC 791), a multiple of four bytes."""
    header = put(packet[:HEADER], 0, bytes([0x45 + len(options) // 4]))
    header = put(put(header, 2, word(len(packet) + len(options))), CHECK_AT, b"\0\0") + options
    return put(header, CHECK_AT, word(checksum(header))) + packet[HEADER:]


def _by_udp(ends: Ends) -> Exchange:
    out = udp(CLIENT, PORT, SERVER, 53)
    (sent,) = ends.out([out])
    return Exchange(out, sent, udp(SERVER, 53, EXTERNAL, read(sent).source_port, b"answer"))


def _by_tcp(ends: Ends) -> Exchange:
    (sent,) = ends.out([segment(CLIENT, PORT, SERVER, 80)])
    near = read(sent).source_port
    assert ends.into([segment(SERVER, 80, EXTERNAL, near, SYN | ACK, sequence=50, acknowledged=1)])
    out = segment(CLIENT, PORT, SERVER, 80, ACK, sequence=1, acknowledged=51, payload=b"question")
    (sent,) = ends.out([out])
    return Exchange(
        out, sent, segment(SERVER, 80, EXTERNAL, near, ACK, sequence=51, acknowledged=1, payload=b"answer")
    )


def _by_icmp(ends: Ends) -> Exchange:
    out = query(CLIENT, SERVER, PORT)
    (sent,) = ends.out([out])
    return Exchange(out, sent, query(SERVER, EXTERNAL, read(sent).source_port, ECHO_REPLY))


Begin = Callable[[Ends], Exchange]
every_protocol = pytest.mark.parametrize("begin", [_by_udp, _by_tcp, _by_icmp], ids=["udp", "tcp", "icmp"])


@every_protocol
@pytest.mark.parametrize("lifetime", [2, 3, 64, 255])
def test_a_lifetime_shrinks_by_one_each_way(begin: Begin, lifetime: int, ends: Ends) -> None:
    """TTL not decremented, TTL 0.

    By the kernel, exactly once, and nfmasq leaves the header's checksum right.
    """
    exchange = begin(ends)
    (left,) = ends.out([with_lifetime(exchange.out, lifetime)])
    (came,) = ends.into([with_lifetime(exchange.into, lifetime)])
    for packet in (left, came):
        assert packet[LIFETIME_AT] == lifetime - 1
        assert sums_are_right(packet)


@every_protocol
@pytest.mark.parametrize("lifetime", [0, 1])
def test_a_lifetime_that_ends_here_is_told_and_goes_no_further(
    begin: Begin, lifetime: int, ends: Ends
) -> None:
    """TTL not decremented, TTL 0.

    The sender is told, about the packet as it sent it.
    """
    exchange = begin(ends)
    sent, received = with_lifetime(exchange.out, lifetime), with_lifetime(exchange.into, lifetime)
    (told,) = ends.refused([sent])
    assert (told[HEADER], read(told).source) == (EXCEEDED, ROUTER_INTERNAL)
    assert quote_of(told) == sent
    assert not ends.out([sent])
    assert not ends.into([received])


@every_protocol
def test_the_router_s_time_exceeded_quotes_what_the_server_sent(begin: Begin, ends: Ends) -> None:
    """Router ICMP quotes a private address.

    To the last byte the quote is the packet the server sent, as far as it goes.
    """
    received = with_lifetime(begin(ends).into, 1)
    (told,) = ends.answered([received])
    assert (told[20], told[21]) == (EXCEEDED, 0)
    assert (read(told).source, read(told).destination) == (EXTERNAL, SERVER)
    quoted = quote_of(told)
    assert quoted[:CHECK_AT] == received[:CHECK_AT]
    assert quoted[CHECK_AT + 2 :] == received[CHECK_AT + 2 :]
    assert ip_sum_is_right(quoted)
    assert sums_are_right(told)


PASSING = {
    "no-operations": bytes([1, 1, 1, 0]),
    "router alert": bytes([0x94, 4, 0, 0]),
    "stream id": bytes([0x88, 4, 0, 7]),
    "an unknown one": bytes([0x9E, 4, 1, 2]),
    "a full record route": bytes([7, 7, 8]) + SERVER.packed + b"\0",
}
ROUTED = {
    "loose source route": bytes([131, 7, 4]) + SERVER1.packed + b"\0",
    "strict source route": bytes([137, 7, 4]) + SERVER1.packed + b"\0",
    "a source route at its end": bytes([131, 7, 8]) + SERVER1.packed + b"\0",
    "loose source route behind a no-operation": bytes([1, 131, 7, 4]) + SERVER1.packed,
}


@every_protocol
@pytest.mark.parametrize("kind", PASSING)
def test_harmless_options_pass_with_the_checksum_right(begin: Begin, kind: str, ends: Ends) -> None:
    """IP options.

    Unchanged, both ways.
    """
    exchange = begin(ends)
    (left,) = ends.out([with_options(exchange.out, PASSING[kind])])
    (came,) = ends.into([with_options(exchange.into, PASSING[kind])])
    for packet in (left, came):
        assert packet[HEADER : l4_at(packet)] == PASSING[kind]
        assert sums_are_right(packet)


@every_protocol
def test_a_recorded_route_shows_no_internal_address(begin: Begin, ends: Ends) -> None:
    """IP options.

    The client has put itself down; the router adds its own address on that side, and the way back is free
    to name what it likes.
    """
    exchange = begin(ends)
    recorded = bytes([7, 15, 8]) + CLIENT.packed + bytes(8) + b"\0"
    (left,) = ends.out([with_options(exchange.out, recorded)])
    assert left[HEADER + 3 : HEADER + 11] == EXTERNAL.packed * 2
    (came,) = ends.into([with_options(exchange.into, bytes([7, 7, 4]) + bytes(4) + b"\0")])
    assert came[HEADER + 3 : HEADER + 7] == ROUTER_INTERNAL.packed
    for packet in (left, came):
        assert sums_are_right(packet)


@every_protocol
@pytest.mark.parametrize("kind", ROUTED)
def test_source_routes_are_dropped(begin: Begin, kind: str, ends: Ends) -> None:
    """IP options.

    Loose and strict, both ways, used up or not.
    """
    exchange = begin(ends)
    assert not ends.out([with_options(exchange.out, ROUTED[kind])])
    assert not ends.into([with_options(exchange.into, ROUTED[kind])])


@every_protocol
def test_a_packet_that_may_not_be_cut_keeps_its_identification(begin: Begin, ends: Ends) -> None:
    """IP-ID host counting, ID collision.

    That of an atomic packet means nothing (RFC 6864).
    """
    exchange = begin(ends)
    for number in (0, 1, 0x8000, 0xFFFF):
        (left,) = ends.out([numbered(exchange.out, number)])
        (came,) = ends.into([numbered(exchange.into, number)])
        for packet in (left, came):
            assert packet[4:6] == word(number)
            assert sums_are_right(packet)


@every_protocol
def test_the_identifications_of_one_host_tell_nothing_of_another(begin: Begin, ends: Ends) -> None:
    """IP-ID host counting, ID collision.

    What may be cut up on its way leaves with a number of the router's own, whatever the host chose: all hosts
    count as one, and no two packets to a server have the same number at one time.
    """
    exchange = begin(ends)
    sent = [numbered(put(exchange.out, 6, b"\0\0"), number) for number in (7, 7, 1, 0xFFFF, 0, 7)]
    numbers = [int.from_bytes(packet[4:6]) for packet in ends.out(sent)]
    assert len(set(numbers)) == len(sent)
    other = udp(OTHER_CLIENT, PORT, SERVER, 53)
    for packet in ends.out([numbered(put(other, 6, b"\0\0"), number) for number in numbers]):
        assert int.from_bytes(packet[4:6]) not in numbers
        assert sums_are_right(packet)


BROKEN: dict[str, tuple[str, Callable[[Exchange], bytes]]] = {
    "of no flow": (
        "",  # let by, for conntrack may know it; the router's own stack takes no notice of it
        lambda exchange: error(SERVER, EXTERNAL, udp(EXTERNAL, 31999, SERVER, 53), UNREACHABLE, 3),
    ),
    "not to whom it quotes": (
        "icmp_quote_invalid",
        lambda exchange: error(SERVER, EXTERNAL, put(exchange.sent, 12, SERVER1.packed), UNREACHABLE, 3),
    ),
    "about a packet of its own": (
        "icmp_quote_invalid",
        lambda exchange: error(SERVER, EXTERNAL, exchange.into, UNREACHABLE, 3),
    ),
    "quoting half an IP header": (
        "icmp_quote_truncated",
        lambda exchange: error(SERVER, EXTERNAL, exchange.sent[:12], UNREACHABLE, 3),
    ),
    "quoting half the transport": (
        "icmp_quote_truncated",
        lambda exchange: error(SERVER, EXTERNAL, exchange.sent[: HEADER + 7], UNREACHABLE, 3),
    ),
    "quoting nothing": ("icmp_quote_truncated", lambda _: error(SERVER, EXTERNAL, b"", UNREACHABLE, 3)),
    "with a bad checksum": (
        "icmp_checksum_wrong",
        lambda exchange: put(error(SERVER, EXTERNAL, exchange.sent, UNREACHABLE, 3), HEADER + 2, b"\x12\x34"),
    ),
    "quoting a header with a bad checksum": (
        "icmp_quote_invalid",
        lambda exchange: error(SERVER, EXTERNAL, put(exchange.sent, CHECK_AT, b"\x12\x34"), UNREACHABLE, 3),
    ),
    "a redirect": (
        "icmp_type_unsupported",
        lambda exchange: error(SERVER, EXTERNAL, exchange.sent, REDIRECT, 1, rest=int(SERVER1)),
    ),
    "source quench": ("", lambda exchange: error(SERVER, EXTERNAL, exchange.sent, 4)),
}


@every_protocol
@pytest.mark.parametrize("kind", BROKEN)
def test_a_bad_error_does_not_come_in(begin: Begin, kind: str, ends: Ends, daemon: DaemonUnderLab) -> None:
    """ICMP error of no flow, not to whom it quotes, truncated, with a bad checksum; redirect.

    Source quench is nobody's but the router's own stack, which takes no notice (RFC 6633).
    """
    reason, make = BROKEN[kind]
    exchange = begin(ends)
    before = daemon.drops().get(reason, 0)
    assert not ends.into([make(exchange)])
    assert daemon.drops().get(reason, 0) == before + bool(reason)


def test_a_redirect_teaches_the_router_nothing(ends: Ends, net: Topology) -> None:
    """ICMP error of no flow, not to whom it quotes, truncated, with a bad checksum; redirect.

    Told by its own gateway that another way to a host is better, about a client's packet and about its own.
    """
    (sent,) = ends.out([udp(CLIENT, PORT, SERVER, 53)])
    way = net.router.run("ip", "route", "get", str(SERVER))
    ends.into(
        [
            error(net.isp_address, EXTERNAL, quoted, REDIRECT, 1, rest=int(SERVER1))
            for quoted in (sent, udp(EXTERNAL, 40000, SERVER, 53))
        ]
    )
    assert net.router.run("ip", "route", "get", str(SERVER)) == way


@pytest.mark.parametrize("mtu", [0, 68, 552, 1400])
def test_a_forged_fragmentation_needed_is_not_acted_upon_by_the_router(
    mtu: int, ends: Ends, net: Topology
) -> None:
    """Forged fragmentation-needed.

    It is for the host the session belongs to, to believe or not; the router learns no path MTU by it.
    """
    (sent,) = ends.out([udp(CLIENT, PORT, SERVER, 53)])
    (came,) = ends.into([error(SERVER, EXTERNAL, sent, UNREACHABLE, FRAGMENTATION_NEEDED, rest=mtu)])
    assert struct.unpack_from("!H", came, HEADER + 6) == (mtu,)
    assert "mtu" not in net.router.run("ip", "route", "get", str(SERVER), "from", str(EXTERNAL))
    large = udp(CLIENT, PORT, SERVER, 53, bytes(1400))
    (left,) = ends.out([large])
    assert len(left) == len(large)


def test_a_real_client_still_gets_true_errors(net: Topology) -> None:
    """Forged fragmentation-needed.

    What is checked must not stop what is true: a closed port is told to a real socket.
    """
    with pytest.raises(ConnectionRefusedError):
        ask(net.client1, (SERVER1, 999), b"anybody there?", tries=1)

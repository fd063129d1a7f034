"""A packet out and its answer back: what becomes of the addresses, and of everything else."""

from collections.abc import Callable

import pytest
from support.packets import (
    ACK,
    DCCP,
    ESP,
    GRE,
    PSH,
    SYN,
    UDPLITE,
    portless,
    query,
    read,
    sums_are_right,
    tcp,
    udp,
)
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, SERVER, Router

from nfmasq._fastpath import layout

RECORD_ROUTE = bytes([7, 11, 4]) + bytes(8)
NOPS = bytes([1, 1, 1, 0])
TCP_OPTIONS = bytes([2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7])


def changed(before: bytes, after: bytes) -> set[int]:
    """The offsets at which two packets differ."""
    assert len(before) == len(after)
    return {at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}


def span(first: int, length: int) -> set[int]:
    """`length` offsets from `first` on."""
    return set(range(first, first + length))


IP_CHECK, IP_SOURCE, IP_DESTINATION = span(10, 2), span(12, 4), span(16, 4)


@pytest.mark.parametrize("options", [b"", NOPS, RECORD_ROUTE + b"\0"])
@pytest.mark.parametrize("payload", [b"", b"x", b"GET / HTTP/1.1\r\n\r\n", bytes(1459)])
def test_a_tcp_segment_leaves_with_the_external_endpoint_and_nothing_else_new(
    router: Router, payload: bytes, options: bytes
) -> None:
    segment = tcp(
        CLIENT, 40000, SERVER, 80, SYN | PSH, payload=payload, options=TCP_OPTIONS, ip_options=options
    )
    sent = router.out(segment)
    at = 20 + len(options)
    assert read(sent)[::2] == (EXTERNAL, SERVER)
    assert sums_are_right(sent)
    assert changed(segment, sent) <= IP_CHECK | IP_SOURCE | span(at, 2) | span(at + 16, 2)


@pytest.mark.parametrize("payload", [b"", b"x", b"question", bytes(1472)])
@pytest.mark.parametrize("without_sum", [False, True])
def test_a_udp_datagram_leaves_with_the_external_endpoint_and_nothing_else_new(
    router: Router, payload: bytes, without_sum: bool
) -> None:
    datagram = udp(CLIENT, 40000, SERVER, 53, payload, without_sum=without_sum)
    sent = router.out(datagram)
    assert read(sent)[::2] == (EXTERNAL, SERVER)
    assert sums_are_right(sent)
    allowed = IP_CHECK | IP_SOURCE | span(20, 2) | (set() if without_sum else span(26, 2))
    assert changed(datagram, sent) <= allowed


@pytest.mark.parametrize(
    ("request_out", "answer"),
    [
        (
            tcp(CLIENT, 40000, SERVER, 80),
            lambda near: tcp(SERVER, 80, EXTERNAL, near, SYN | ACK, options=TCP_OPTIONS),
        ),
        (udp(CLIENT, 40000, SERVER, 53), lambda near: udp(SERVER, 53, EXTERNAL, near, b"answer")),
        (query(CLIENT, SERVER, 77), lambda near: query(SERVER, EXTERNAL, near, kind=0)),
        (portless(CLIENT, SERVER, GRE), lambda near: portless(SERVER, EXTERNAL, GRE, b"back")),
        (portless(CLIENT, SERVER, ESP), lambda near: portless(SERVER, EXTERNAL, ESP, b"back")),
    ],
    ids=["tcp", "udp", "icmp", "gre", "esp"],
)
def test_the_answer_comes_back_to_whom_asked(
    router: Router, request_out: bytes, answer: Callable[[int], bytes]
) -> None:
    asked = read(request_out)
    near = read(router.out(request_out)).source_port
    came = answer(near)
    got = router.into(came)
    assert read(got)[2:] == asked[:2]
    assert read(got).source == SERVER
    assert sums_are_right(got) or got[9] in (GRE, ESP)
    assert changed(came, got) <= IP_CHECK | IP_DESTINATION | span(22, 2) | span(24, 2) | span(26, 2) | span(
        36, 2
    )


def test_padding_behind_the_packet_stays_as_it_is(router: Router) -> None:
    datagram = udp(CLIENT, 40000, SERVER, 53, b"odd")
    sent = router.out(datagram + b"\xde\xad\xbe\xef")
    assert sent[-4:] == b"\xde\xad\xbe\xef"
    assert sums_are_right(sent[:-4])


def test_two_hosts_with_the_same_port_get_two_external_ports(router: Router) -> None:
    first = read(router.out(udp(CLIENT, 40000, SERVER, 53)))
    second = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53)))
    assert first.source_port != second.source_port
    assert read(router.into(udp(SERVER, 53, EXTERNAL, first.source_port))).destination == CLIENT
    assert read(router.into(udp(SERVER, 53, EXTERNAL, second.source_port))).destination == OTHER_CLIENT


def test_tcp_and_udp_of_one_port_are_two_mappings(router: Router) -> None:
    router.out(udp(CLIENT, 40000, SERVER, 53))
    router.out(tcp(CLIENT, 40000, SERVER, 53))
    assert [row.protocol for row in router.table.mappings()] == [17, 6]


@pytest.mark.parametrize("protocol", [DCCP, UDPLITE, GRE])
def test_a_portless_packet_changes_its_address_and_no_port(router: Router, protocol: int) -> None:
    packet = portless(CLIENT, SERVER, protocol, b"\x11\x11\x22\x22\x00\x08\x33\x33 payload")
    sent = router.out(packet)
    assert sent[12:16] == EXTERNAL.packed
    assert sent[20:26] == packet[20:26]
    assert sent[28:] == packet[28:]


def test_the_records_keep_their_sizes() -> None:
    """The arena's layout version stands for these."""
    assert dict(layout()) == {"session": 128, "mapping": 44, "host": 52}

"""ICMP errors, translated outside and in what they quote (RFC 4787 REQ-12, RFC 5508 section 4).

The measure is simple: whoever gets an error must find in it the first bytes of the very packet he sent.
"""

import struct
from ipaddress import IPv4Address

import pytest
from support.packets import (
    ACK,
    ESP,
    EXCEEDED,
    GRE,
    PARAMETER_PROBLEM,
    RST,
    TCP,
    UDPLITE,
    UNREACHABLE,
    checksum,
    error,
    l4_at,
    portless,
    put,
    query,
    quote_of,
    read,
    sums_are_right,
    tcp,
    udp,
    word,
)
from support.router import CLIENT, EXTERNAL, HOP, INNER_ROUTER, OTHER_CLIENT, OTHER_SERVER, SERVER, Router

NOPS = bytes([1, 1, 1, 0])
FRAGMENTATION_NEEDED = 4

SENT = {
    "tcp": tcp(CLIENT, 40000, SERVER, 80, payload=b"data", options=NOPS),
    "tcp with ip options": tcp(CLIENT, 40000, SERVER, 80, ip_options=NOPS),
    "udp": udp(CLIENT, 40000, SERVER, 33434, b"probe"),
    "udp with ip options": udp(CLIENT, 40000, SERVER, 33434, b"probe", ip_options=NOPS * 3),
    "udp without a sum": udp(CLIENT, 40000, SERVER, 33434, b"probe", without_sum=True),
    "ping": query(CLIENT, SERVER, 7),
    "gre": portless(CLIENT, SERVER, GRE),
    "esp": portless(CLIENT, SERVER, ESP),
}
every_kind = pytest.mark.parametrize(
    ("kind", "code", "rest"),
    [
        (UNREACHABLE, 1, 0),
        (UNREACHABLE, FRAGMENTATION_NEEDED, 1400),
        (EXCEEDED, 0, 0),
        (PARAMETER_PROBLEM, 0, 1 << 24),
    ],
)
every_packet = pytest.mark.parametrize("packet", SENT.values(), ids=SENT)


def answer(sent: bytes) -> bytes:
    """What the server answers to a packet it got, well-formed and as any server would."""
    near = read(sent)
    if sent[9] == 6:
        return tcp(SERVER, near.destination_port, EXTERNAL, near.source_port, 0x12, options=NOPS)
    if sent[9] == 17:
        return udp(SERVER, near.destination_port, EXTERNAL, near.source_port, b"answer")
    if sent[9] == 1:
        return query(SERVER, EXTERNAL, near.source_port, kind=0)
    return portless(SERVER, EXTERNAL, sent[9], b"a tunnel back")


@every_packet
@every_kind
def test_an_error_from_the_way_reaches_whom_it_concerns(
    router: Router, packet: bytes, kind: int, code: int, rest: int
) -> None:
    sent = router.out(packet)
    came = error(HOP, EXTERNAL, sent, kind, code, rest=rest)
    got = router.into(came)
    assert (read(got).source, read(got).destination) == (HOP, CLIENT)
    assert quote_of(got) == packet
    assert struct.unpack_from("!BB2xI", got, 20) == (kind, code, rest)
    assert sums_are_right(got)
    assert (got[:10], got[12:16]) == (came[:10], came[12:16])


@every_packet
@every_kind
def test_an_error_of_a_host_reaches_the_server(
    router: Router, packet: bytes, kind: int, code: int, rest: int
) -> None:
    came = answer(router.out(packet))
    got = router.into(came)
    complaint = error(CLIENT, SERVER, got, kind, code, rest=rest)
    left = router.out(complaint)
    assert (read(left).source, read(left).destination) == (EXTERNAL, SERVER)
    assert quote_of(left) == came
    assert struct.unpack_from("!BB2xI", left, 20) == (kind, code, rest)
    assert sums_are_right(left)


@every_packet
@pytest.mark.parametrize("sender", [INNER_ROUTER, EXTERNAL, OTHER_CLIENT])
@pytest.mark.parametrize("from_router", [False, True])
def test_an_error_of_a_router_inside_or_of_this_one_shows_no_internal_address(
    router: Router, packet: bytes, sender: IPv4Address, from_router: bool
) -> None:
    """Hop by hop there are routers behind this one, and this one itself: all appear as EXTERNAL."""
    came = answer(router.out(packet))
    got = router.into(came)
    left = router.out(error(sender, SERVER, got), from_router=from_router)
    assert read(left).source == EXTERNAL
    assert quote_of(left) == came
    assert sums_are_right(left)


@pytest.mark.parametrize("length", [8, 12, 16, 18, 20, 24, 28])
def test_a_short_quote_is_translated_as_far_as_it_goes(router: Router, length: int) -> None:
    """Eight bytes of transport header are all that RFC 792 promises."""
    packet = SENT["tcp"]
    sent = router.out(packet)
    got = router.into(error(HOP, EXTERNAL, sent[: 20 + length]))
    assert quote_of(got) == packet[: 20 + length]
    assert sums_are_right(got)


def test_half_a_checksum_is_left_alone(router: Router) -> None:
    packet = SENT["tcp"]
    sent = router.out(packet)
    got = router.into(error(HOP, EXTERNAL, sent[: 20 + 17]))
    assert quote_of(got) == packet[: 20 + 16] + sent[20 + 16 : 20 + 17]


@pytest.mark.parametrize("name", ["udp", "udp without a sum", "ping"])
def test_eight_quoted_bytes_are_enough(router: Router, name: str) -> None:
    packet = SENT[name]
    sent = router.out(packet)
    assert quote_of(router.into(error(HOP, EXTERNAL, sent[:28]))) == packet[:28]


@pytest.mark.parametrize("name", ["gre", "esp"])
def test_a_portless_quote_needs_no_transport_header(router: Router, name: str) -> None:
    packet = SENT[name]
    sent = router.out(packet)
    assert quote_of(router.into(error(HOP, EXTERNAL, sent[:20]))) == packet[:20]


@pytest.mark.parametrize("name", ["tcp", "udp", "ping", "tcp with ip options", "udp with ip options"])
def test_a_quote_of_less_than_eight_bytes_is_dropped(router: Router, name: str) -> None:
    sent = router.out(SENT[name])
    for length in range(l4_at(sent) + 8):
        assert router.try_in(error(HOP, EXTERNAL, sent[:length]))[0] == "icmp_quote_truncated"


def test_an_error_with_a_wrong_checksum_is_dropped(router: Router) -> None:
    """RFC 5508 REQ-3."""
    came = error(HOP, EXTERNAL, router.out(SENT["udp"]))
    for wrong in range(0, 0x10000, 251):
        if wrong not in (struct.unpack_from("!H", came, 22)[0], 0xFFFF):
            assert router.try_in(put(came, 22, word(wrong)))[0] == "icmp_checksum_wrong"


def test_an_error_whose_quoted_header_is_damaged_is_dropped(router: Router) -> None:
    """RFC 5508 REQ-3 a."""
    sent = router.out(SENT["udp"])
    for at in (1, 4, 8, 10, 11, 13, 17):
        damaged = put(sent, at, bytes([sent[at] ^ 0x40]))
        assert router.try_in(error(HOP, EXTERNAL, damaged))[0] == "icmp_quote_invalid"


@pytest.mark.parametrize("name", ["tcp", "udp", "ping"])
def test_the_quoted_transport_checksum_is_not_judged_and_stays_as_wrong(router: Router, name: str) -> None:
    """RFC 5508 REQ-3 c: whoever gets the error finds what he sent, and only what he sent."""
    packet = SENT[name]
    wrong = packet[:-1] + bytes([packet[-1] ^ 0x55])
    router.out(packet)
    sent = router.out(wrong)
    assert quote_of(router.into(error(HOP, EXTERNAL, sent))) == wrong


@pytest.mark.parametrize("name", ["tcp", "udp", "ping", "gre"])
def test_extensions_behind_the_quote_are_left_alone(router: Router, name: str) -> None:
    """RFC 5508 REQ-3 d: the quote padded to 128 bytes, its length told, then objects (RFC 4884)."""
    objects = bytes.fromhex("2000 0000 0008 0101 1234 5140")
    extension = put(objects, 2, word(checksum(objects)))
    packet = SENT[name]
    padded = router.out(packet) + bytes(128 - len(packet))
    came = error(HOP, EXTERNAL, padded + extension, EXCEEDED, 0, rest=32 << 16)
    got = router.into(came)
    assert quote_of(got) == packet + bytes(128 - len(packet)) + extension
    assert got[20:22] + got[24:28] == came[20:22] + came[24:28]
    assert sums_are_right(got)


def test_a_quoted_first_fragment_is_translated_and_a_later_one_is_dropped(router: Router) -> None:
    sent = router.out(SENT["udp"])
    for field, reason in ((0x2000, ""), (0x2001, "icmp_quote_truncated"), (0x0001, "icmp_quote_truncated")):
        header = put(put(sent[:20], 6, word(field)), 10, b"\0\0")
        fragment = put(header, 10, word(checksum(header))) + sent[20:]
        assert router.try_in(error(HOP, EXTERNAL, fragment))[0] == reason


@every_packet
def test_an_error_neither_refreshes_nor_ends_nor_counts_in_a_session(router: Router, packet: bytes) -> None:
    """RFC 4787 REQ-12, RFC 5382 REQ-10, RFC 5508 REQ-6: else anybody could."""
    came = answer(router.out(packet))
    got = router.into(came)
    router.wait(20)
    before = router.row()
    router.into(error(HOP, EXTERNAL, swapped(came), UNREACHABLE, 3))
    router.out(error(CLIENT, SERVER, got, UNREACHABLE, 3))
    assert router.row() == before


def swapped(came: bytes) -> bytes:
    """A packet that went the other way than this one."""
    seen = read(came)
    if came[9] == TCP:
        return tcp(EXTERNAL, seen.destination_port, SERVER, seen.source_port, RST | ACK)
    if came[9] == 17:
        return udp(EXTERNAL, seen.destination_port, SERVER, seen.source_port)
    if came[9] == 1:
        return query(EXTERNAL, SERVER, seen.source_port)
    return portless(EXTERNAL, SERVER, came[9])


def test_a_quoted_reset_resets_nothing(router: Router) -> None:
    """A quoted packet is no packet of the connection."""
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    router.into(tcp(SERVER, 80, EXTERNAL, near, 0x12))
    router.into(error(HOP, EXTERNAL, tcp(EXTERNAL, near, SERVER, 80, RST | ACK)))
    assert router.row().state == "established"


def test_an_error_about_a_packet_of_no_session_is_dropped(router: Router) -> None:
    near = read(router.out(SENT["udp"])).source_port
    for quoted in (
        udp(EXTERNAL, near, OTHER_SERVER, 33434),
        udp(EXTERNAL, near, SERVER, 33435),
        udp(EXTERNAL, near ^ 1, SERVER, 33434),
        tcp(EXTERNAL, near, SERVER, 33434),
    ):
        assert router.try_in(error(HOP, EXTERNAL, quoted))[0] == "icmp_error_unmatched"
    for quoted in (udp(SERVER, 33434, CLIENT, 40001), udp(SERVER, 33434, OTHER_CLIENT, 40000)):
        assert router.try_out(error(CLIENT, SERVER, quoted))[0] == "icmp_error_unmatched"
        assert router.try_out(error(EXTERNAL, SERVER, quoted), from_router=True)[0] == "icmp_error_unmatched"


def test_an_error_about_the_router_s_own_packet_passes(router: Router) -> None:
    router.out(SENT["ping"])
    assert router.passed(error(HOP, EXTERNAL, udp(EXTERNAL, 40000, SERVER, 53)), inbound=True)
    assert router.passed(error(HOP, EXTERNAL, query(EXTERNAL, SERVER, 5)), inbound=True)
    assert router.passed(error(HOP, EXTERNAL, portless(EXTERNAL, SERVER, GRE)), inbound=True)


def test_the_router_s_error_about_a_packet_of_its_own_passes(router: Router) -> None:
    assert router.passed(
        error(EXTERNAL, SERVER, udp(SERVER, 9, EXTERNAL, 40000)), inbound=False, from_router=True
    )


def test_the_router_may_not_show_an_internal_address_of_its_own(router: Router) -> None:
    complaint = error(INNER_ROUTER, SERVER, udp(SERVER, 9, EXTERNAL, 40000))
    assert router.try_out(complaint, from_router=True)[0] != ""


def test_an_error_must_go_to_whom_it_quotes(router: Router) -> None:
    sent = router.out(SENT["udp"])
    assert router.try_in(error(HOP, OTHER_SERVER, sent))[0] == "icmp_quote_invalid"
    got = router.into(answer(sent))
    assert router.try_out(error(CLIENT, OTHER_SERVER, got))[0] == "icmp_quote_invalid"


@pytest.mark.parametrize(
    "quoted", [error(EXTERNAL, SERVER, udp(SERVER, 9, EXTERNAL, 9)), query(EXTERNAL, SERVER, 7, 40)]
)
def test_an_error_about_an_error_is_dropped(router: Router, quoted: bytes) -> None:
    assert router.try_in(error(HOP, EXTERNAL, quoted))[0] == "icmp_quote_invalid"


def test_an_error_about_a_udp_lite_packet_finds_its_session(router: Router) -> None:
    sent = router.out(portless(CLIENT, SERVER, UDPLITE, b"\x11\x11\x22\x22\x00\x08\x33\x33"))
    assert read(router.into(error(HOP, EXTERNAL, sent))).destination == CLIENT

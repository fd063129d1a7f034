"""What an ICMP error quotes is, byte for byte, what its receiver had sent (RFC 5508 REQ-4a)."""

import struct
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address

import pytest
from support.packets import (
    ACK,
    DCCP,
    GRE,
    SYN,
    UDPLITE,
    UNREACHABLE,
    checksum,
    error,
    ip_sum_is_right,
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
from support.router import CLIENT, EXTERNAL, HOP, INNER_ROUTER, OTHER_CLIENT, SERVER, Router, policy

from nfmasq.core.policy import Filtering

MSS = b"\2\4" + word(1460)
ODD_MSS = b"\1\2\4" + word(1460) + b"\1\1\0"
TIMES = b"\1\1\x08\x0a" + bytes(range(8))
RECORD_ROUTE = b"\7\x0f\x0c" + CLIENT.packed + HOP.packed + bytes(4) + b"\0"
STAMPS = b"\x44\x14\x0d\x01" + INNER_ROUTER.packed + b"\0\1\2\3" + HOP.packed + b"\0\4\5\6"


def rewritten(packet: bytes, **fields: int) -> bytes:
    """The packet with another identification, fragment field, or TTL, and the header's sum right."""
    places = {"identification": (4, "!H"), "fragment": (6, "!H"), "ttl": (8, "!B")}
    for name, value in fields.items():
        at, form = places[name]
        packet = put(packet, at, struct.pack(form, value))
    packet = put(packet, 10, b"\0\0")
    return put(packet, 10, word(checksum(packet[: l4_at(packet)])))


def may_be_cut(packet: bytes, identification: int = 0xBEEF) -> bytes:
    """The packet without DF: its identification is replaced on the way out."""
    return rewritten(packet, fragment=0, identification=identification)


def lite(source: IPv4Address, destination: IPv4Address, protocol: int) -> bytes:
    """A packet of a protocol that has a checksum over the addresses where UDP has it."""
    return portless(source, destination, protocol, struct.pack("!HHHH", 5000, 6000, 16, 0x4321) + b"eight by")


WHOLE = {
    "tcp": tcp(CLIENT, 40000, SERVER, 80),
    "tcp with an mss": tcp(CLIENT, 40000, SERVER, 80, options=MSS),
    "tcp with an mss at an odd byte": tcp(CLIENT, 40000, SERVER, 80, options=ODD_MSS + TIMES),
    "tcp with a small mss": tcp(CLIENT, 40000, SERVER, 80, options=b"\2\4" + word(500)),
    "tcp with options of ip": tcp(CLIENT, 40000, SERVER, 80, options=MSS, ip_options=RECORD_ROUTE),
    "udp": udp(CLIENT, 40000, SERVER, 33434),
    "udp without a sum": udp(CLIENT, 40000, SERVER, 33434, without_sum=True),
    "udp with options of ip": udp(CLIENT, 40000, SERVER, 33434, ip_options=RECORD_ROUTE + STAMPS),
    "ping": query(CLIENT, SERVER, 7),
    "gre": portless(CLIENT, SERVER, GRE),
    "udp-lite": lite(CLIENT, SERVER, UDPLITE),
    "dccp": lite(CLIENT, SERVER, DCCP),
}
SENT = {
    f"{name}, {how}": change(packet)
    for name, packet in WHOLE.items()
    for how, change in (("df", lambda packet: packet), ("no df", may_be_cut))
}
every_packet = pytest.mark.parametrize("packet", SENT.values(), ids=SENT)


@pytest.fixture
def router() -> Router:
    """One whose uplink is narrow: it lowers the MSS of SYNs."""
    return Router(policy(mss=1400, filtering=Filtering.ENDPOINT_INDEPENDENT))


def lengths(packet: bytes) -> list[int]:
    """How much of the packet errors quote: eight bytes of transport at least, every byte of its header."""
    start = l4_at(packet) + 8
    return sorted({*range(start, min(start + 40, len(packet))), 28 if start <= 28 else start, len(packet)})


def quotes_are_right(router: Router, packet: bytes, sent: bytes) -> None:
    """Whatever is quoted of the packet as sent comes back as the host's own first bytes."""
    for length in lengths(sent):
        got = router.into(error(HOP, EXTERNAL, sent[:length], UNREACHABLE, 1))
        quote = quote_of(got)
        if sent[9] == 6 and length - l4_at(sent) == 17:
            continue  # half a checksum
        assert quote == packet[:length], length
        assert sums_are_right(got)


@every_packet
def test_a_quote_is_what_the_host_sent_however_much_is_quoted(router: Router, packet: bytes) -> None:
    sent = router.out(packet)
    quotes_are_right(router, packet, sent)


@pytest.mark.parametrize("name", [name for name in SENT if "without" not in name])
def test_a_checksum_left_to_the_device_is_quoted_whole(router: Router, name: str) -> None:
    packet = SENT[name]
    sent = router.out(packet, checksum_ready=False)
    got = router.into(error(HOP, EXTERNAL, sent, UNREACHABLE, 1))
    assert quote_of(got) == packet


@every_packet
def test_a_hop_that_lowered_the_ttl_is_no_obstacle(router: Router, packet: bytes) -> None:
    sent = rewritten(router.out(packet), ttl=1)
    got = router.into(error(HOP, EXTERNAL, sent))
    assert quote_of(got) == rewritten(packet, ttl=1)


def test_each_of_many_packets_of_one_session_is_known_again(router: Router) -> None:
    """The classic tcptraceroute: one pair of endpoints, and a number of its own for each probe."""
    probes = [may_be_cut(tcp(CLIENT, 40000, SERVER, 80, options=MSS), number) for number in range(1, 31)]
    sent = [router.out(probe) for probe in probes]
    for probe, left in reversed(list(zip(probes, sent, strict=True))):
        quotes_are_right(router, probe, left)


def test_two_sessions_with_the_same_numbers_are_kept_apart(router: Router) -> None:
    """As two hosts count alike after their start."""
    pairs = []
    for number in range(300):
        for host in (CLIENT, OTHER_CLIENT):
            packet = may_be_cut(udp(host, 40000, SERVER, 33434), number)
            pairs.append((packet, router.out(packet)))
    for packet, sent in pairs:
        assert quote_of(router.into(error(HOP, EXTERNAL, sent))) == packet


def test_a_part_of_a_super_packet_is_quoted_with_its_own_number(router: Router) -> None:
    whole = may_be_cut(udp(CLIENT, 40000, SERVER, 33434, bytes(8000)), 100)
    sent = router.out(whole, checksum_ready=False, gso=True)
    (first,) = struct.unpack_from("!H", sent, 4)
    for part in range(6):
        cut = rewritten(sent[:28], identification=(first + part) & 0xFFFF)
        got = quote_of(router.into(error(HOP, EXTERNAL, cut)))
        assert struct.unpack_from("!H", got, 4) == (100 + part,)
        assert ip_sum_is_right(got)


def test_an_mss_that_a_later_router_lowered_too_is_left_to_it(router: Router) -> None:
    packet = tcp(CLIENT, 40000, SERVER, 80, options=MSS)
    sent = router.out(packet)
    small = b"\2\4" + word(536)
    quoted = tcp(EXTERNAL, read(sent).source_port, SERVER, 80, options=small)
    got = router.into(error(HOP, EXTERNAL, quoted))
    assert quote_of(got) == tcp(CLIENT, 40000, SERVER, 80, options=small)


def test_an_address_that_a_later_router_recorded_stays_in_the_quote(router: Router) -> None:
    empty = b"\7\x0b\x04" + CLIENT.packed + bytes(4) + b"\0"
    sent = router.out(udp(CLIENT, 40000, SERVER, 33434, ip_options=empty))
    recorded = sent[:23] + EXTERNAL.packed + EXTERNAL.packed + sent[31:]
    got = router.into(error(HOP, EXTERNAL, rewritten(recorded, ttl=63)))
    assert quote_of(got)[23:31] == CLIENT.packed + EXTERNAL.packed
    assert ip_sum_is_right(quote_of(got))


def test_a_server_s_packet_is_quoted_to_it_as_it_sent_it(router: Router) -> None:
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    came = may_be_cut(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK, options=ODD_MSS), 7)
    got = router.into(came)
    for length in (28, 40, len(got)):
        left = router.out(error(CLIENT, SERVER, got[:length], UNREACHABLE, 3))
        assert quote_of(left) == came[:length]
        assert sums_are_right(left)


@pytest.mark.parametrize("change", [may_be_cut, lambda packet: packet], ids=["no df", "df"])
@pytest.mark.parametrize("ip_options", [b"", RECORD_ROUTE])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_hairpinned_packet_is_quoted_as_its_sender_sent_it(
    kind: str, ip_options: bytes, change: Callable[[bytes], bytes]
) -> None:
    router = Router(policy(device=7, mss=1400, filtering=Filtering.ENDPOINT_INDEPENDENT))
    make = {
        "tcp": partial(tcp, options=MSS, ip_options=ip_options),
        "udp": partial(udp, ip_options=ip_options),
    }[kind]
    near = read(router.out(make(OTHER_CLIENT, 5000, SERVER, 53))).source_port
    packet = change(make(CLIENT, 40000, EXTERNAL, near))
    reason, came = router.table.hairpin(packet, now=router.now)
    assert (reason, read(came).destination) == ("", OTHER_CLIENT)
    for length in (l4_at(came) + 8, len(came)):
        reason, got = router.table.hairpin(
            error(OTHER_CLIENT, EXTERNAL, came[:length], UNREACHABLE, 3), now=router.now
        )
        assert reason == ""
        assert quote_of(got) == packet[:length]
        assert sums_are_right(got)


def test_a_quote_of_a_packet_that_was_never_sent_is_translated_and_no_more(router: Router) -> None:
    """Its number belongs to no packet of this session."""
    near = read(router.out(udp(CLIENT, 40000, SERVER, 33434))).source_port
    router.out(may_be_cut(udp(OTHER_CLIENT, 40000, SERVER, 33434), 9))
    for number in range(0, 65536, 997):
        quoted = may_be_cut(udp(EXTERNAL, near, SERVER, 33434), number)
        got = quote_of(router.into(error(HOP, EXTERNAL, quoted)))
        assert got == may_be_cut(udp(CLIENT, 40000, SERVER, 33434), number)

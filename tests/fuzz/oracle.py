"""What must be true of every packet, however spoilt: the one judge of all the tests here."""

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

from support.packets import CHECK_AT, ICMP, TCP, UDP, l4_at, sums_are_right
from support.router import EXTERNAL, LAN, Router

from nfmasq.core.reasons import BY_NAME

ERRORS = (3, 11, 12)
PORTED = (TCP, UDP)


class How(NamedTuple):
    """The way a packet comes to the core."""

    inbound: bool = False
    checksum_ready: bool = True
    gso: bool = False
    from_router: bool = False


WAYS = [
    How(),
    How(inbound=True),
    How(checksum_ready=False),
    How(inbound=True, checksum_ready=False),
    How(checksum_ready=False, gso=True),
    How(inbound=True, checksum_ready=False, gso=True),
    How(from_router=True),
]


def span(first: int, length: int) -> set[int]:
    """`length` offsets from `first` on."""
    return set(range(first, first + length))


DONT_FRAGMENT = 0x40


def listed(packet: bytes, start: int, quoted: bool = False) -> set[int]:
    """The offsets of internal addresses in the options of the header that starts here.

    quoted: also of the external address, which stands for an internal one there.
    """
    options = range(start + 20, start + l4_at(packet[start:]) - 3)
    found = {at: IPv4Address(packet[at : at + 4]) for at in options}
    places = [at for at, address in found.items() if address in LAN or (quoted and address == EXTERNAL)]
    return {at + more for at in places for more in range(4)}


def may_change(packet: bytes, inbound: bool) -> set[int]:
    """The offsets of all fields that translation has a hand in. It was accepted, so they are there."""
    at = l4_at(packet)
    fields = span(10, 2) | span(16 if inbound else 12, 4) | listed(packet, 0)
    if not inbound and not packet[6] & DONT_FRAGMENT:
        fields |= span(4, 2)
    if packet[9] == ICMP and packet[at] in ERRORS:
        quoted = at + 8
        inner = quoted + l4_at(packet[quoted:])
        protocol = packet[quoted + 9]
        fields |= (
            listed(packet, quoted, inbound)
            | span(at + 2, 2)
            | span(quoted + 4, 2)
            | span(quoted + 10, 2)
            | span(quoted + (12 if inbound else 16), 4)
        )
        if protocol == ICMP:
            fields |= span(inner + 2, 4)
        elif protocol in PORTED:
            fields |= span(inner + (0 if inbound else 2), 2) | span(inner + CHECK_AT[protocol], 2)
        elif protocol in CHECK_AT:
            fields |= span(inner + CHECK_AT[protocol], 2)
    elif packet[9] == ICMP:
        fields |= span(at + 2, 4)
    elif packet[9] in CHECK_AT:
        fields |= span(at + CHECK_AT[packet[9]], 2)
        if packet[9] in PORTED:
            fields |= span(at + (2 if inbound else 0), 2)
    return fields


def shown(packet: bytes) -> set[IPv4Address]:
    """All addresses that a packet shows, in its header and in that of a quoted packet."""
    found = set(map(IPv4Address, struct.unpack_from("!II", packet, 12)))
    at = l4_at(packet)
    if packet[9] == ICMP and packet[at] in ERRORS:
        found |= set(map(IPv4Address, struct.unpack_from("!II", packet, at + 8 + 12)))
    return found


def never_outside(address: IPv4Address) -> bool:
    """Is this an address that nobody outside can have?"""
    top = int(address) >> 24
    return address in LAN or address == EXTERNAL or top in (0, 127) or top >= 224


def is_believed(source: IPv4Address, packet: bytes) -> bool:
    """An ICMP error that belongs to a session may come from any router on the way (RFC 4787 REQ-12a)."""
    return packet[9] == ICMP and (source in LAN or source == EXTERNAL)


def judge(router: Router, packet: bytes, how: How) -> str:
    """Give a packet to the core and look at what it makes of it; return why it was dropped, or ""."""
    passed_before = router.table.counters().passed
    reason, sent = router.table.translate(packet, now=router.now, **how._asdict())
    case = f"{how} {packet.hex()} -> {reason} {sent.hex()}"
    if reason:
        assert reason in BY_NAME, case
        assert sent == b"", case
        return reason
    assert len(sent) == len(packet), case
    source, destination = map(IPv4Address, struct.unpack_from("!II", sent, 12))
    if router.table.counters().passed > passed_before:
        assert sent == packet, case
        if how.inbound:
            assert destination not in LAN, case
            assert not never_outside(source), case
    elif how.inbound and how.gso and packet[9] == UDP:
        assert sent == packet, case
    else:
        assert changed(packet, sent) <= may_change(packet, how.inbound), case
        if how.inbound:
            assert destination in LAN, case
            assert not never_outside(source) or is_believed(source, packet), case
        if sums_are_right(trimmed(packet)):
            assert how.gso or sums_are_right(trimmed(sent)), case
    if not how.inbound:
        assert source not in LAN, case
        assert how.from_router or source == EXTERNAL, case
        assert not any(
            address in LAN for address in shown(sent) - ({destination} if how.from_router else set())
        ), case
    return ""


def trimmed(packet: bytes) -> bytes:
    """A packet without what lies behind its end."""
    return packet[: struct.unpack_from("!H", packet, 2)[0]]


def changed(before: bytes, after: bytes) -> set[int]:
    """The offsets at which two packets differ."""
    return {at for at in range(len(before)) if before[at] != after[at]}

"""What the program's maps must hold for one plan.

An address is looked up by its longest prefix. So the external addresses win over networks around them. Keys
and values are bytes as the program reads them (program.c): addresses and ports in network byte order, other
numbers in the machine's.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network

from nfmasq.diversion.backend import DiversionPlan

ZERO = struct.pack("=I", 0)
PORTS_SIZE = 65536 // 8

_EXTERNAL, _INTERNAL, _UNTRANSLATED, _EXEMPT = 1, 2, 3, 4
_INSIDE, _OUTSIDE = 1, 2

Entries = dict[bytes, bytes]


def networks(plan: DiversionPlan) -> Entries:
    """What each network is: internal, untranslated, exempt; each external address."""
    entries: Entries = {}
    for kind, found in (
        (_EXEMPT, plan.merged_exempt),
        (_UNTRANSLATED, plan.merged_untranslated),
        (_INTERNAL, plan.merged_networks),
        (_EXTERNAL, map(IPv4Network, plan.addresses)),
    ):
        for network in found:
            key = struct.pack("=I", network.prefixlen) + network.network_address.packed
            entries[key] = struct.pack("=I", kind)
    return entries


def usual(plan: DiversionPlan) -> bytes:
    """The first external address; zeros without one."""
    return plan.addresses[0].packed if plan.addresses else bytes(4)


def interfaces(plan: DiversionPlan, indices: Mapping[str, int]) -> Entries:
    """On which side each interface lies that is there. indices: of the interfaces that are there, by name."""
    sides = {
        **dict.fromkeys(plan.outside, _OUTSIDE),
        **dict.fromkeys(plan.internal, _INSIDE),
    }
    return {
        struct.pack("=I", indices[name]): struct.pack("=I", side)
        for name, side in sides.items()
        if name in indices
    }


def ports(plan: DiversionPlan) -> bytes:
    """A bit for each external port that is nfmasq's: handed out, or of a forward."""
    bits = bytearray(PORTS_SIZE)
    for first, last in _spans(plan):
        for port in range(first, last + 1):
            bits[port >> 3] |= 1 << (port & 7)
    return bytes(bits)


def _spans(plan: DiversionPlan) -> Iterable[tuple[int, int]]:
    """Handed out, or of a forward by ports. A whole address and the default host leave the router its own."""
    yield from plan.merged_ports
    claims = plan.claims
    for _, _, spans in claims.at:
        yield from spans
    for _, spans in claims.everywhere:
        yield from spans


def differing(before: Entries, now: Entries) -> Iterator[tuple[bytes, bytes | None]]:
    """The steps from one to the other: what is new or other first, then what goes (None).

    So no network is without its entry meanwhile, though it may be cut up or merged.
    """
    yield from ((key, value) for key, value in now.items() if before.get(key) != value)
    yield from ((key, None) for key in before if key not in now)

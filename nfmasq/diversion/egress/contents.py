"""What the program's maps must hold for one plan.

An address is looked up by its longest prefix. So the external addresses win over networks around them. Keys
and values are bytes as the program reads them (program.c): addresses and ports in network byte order, other
numbers in the machine's.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network

from nfmasq.diversion.backend import DiversionPlan
from nfmasq.diversion.claims import TRANSPORTS, Span

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


def mark(plan: DiversionPlan) -> bytes:
    """The bit of a hairpinned packet between its two passes."""
    return struct.pack("=I", plan.mark)


def interfaces(plan: DiversionPlan, indices: Mapping[str, int], inside: Iterable[int]) -> Entries:
    """On which side each interface lies that is there.

    indices: of the interfaces that are there, by name. inside: indices of the internal ones.
    """
    outside = (indices[name] for name in plan.outside if name in indices)
    sides = {**dict.fromkeys(outside, _OUTSIDE), **dict.fromkeys(inside, _INSIDE)}
    return {struct.pack("=I", index): struct.pack("=I", side) for index, side in sides.items()}


def ports(plan: DiversionPlan) -> bytes:
    """A bit for each external port at which packets of nfmasq may arrive, for TCP and for UDP."""
    return b"".join(_bits(plan.late_ports(name)) for name in TRANSPORTS)


def claimed(plan: DiversionPlan) -> Entries:
    """A bit for each port that a forward takes before the router's own sockets, by address; 0.0.0.0: all."""
    claims = plan.claims
    spans: dict[bytes, dict[str, tuple[Span, ...]]] = {}
    for name, everywhere in claims.everywhere:
        spans.setdefault(bytes(4), {})[name] = everywhere
    for address, name, some in claims.at:
        spans.setdefault(address.packed, {})[name] = some
    for address in claims.whole:
        spans[address.packed] = dict.fromkeys(TRANSPORTS, ((1, 65535),))
    return {
        address: b"".join(_bits(taken.get(name, ())) for name in TRANSPORTS)
        for address, taken in spans.items()
    }


def _bits(spans: Iterable[Span]) -> bytes:
    bits = 0
    for first, last in spans:
        bits |= (1 << last + 1) - (1 << first)
    return bits.to_bytes(PORTS_SIZE, "little")


def differing(before: Entries, now: Entries) -> Iterator[tuple[bytes, bytes | None]]:
    """The steps from one to the other: what is new or other first, then what goes (None).

    So no network is without its entry meanwhile, though it may be cut up or merged.
    """
    yield from ((key, value) for key, value in now.items() if before.get(key) != value)
    yield from ((key, None) for key in before if key not in now)

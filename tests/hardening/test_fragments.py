"""Fragments of every kind, both ways, with connection tracking on the router and without.

Without: no rule of conntrack is loaded, and what puts fragments together is nfmasq's own rules. What a
fragment must never do is leave in part, or be translated by what only part of its packet says.
"""

import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

import pytest
from support.packets import ACK, ECHO_REPLY, HEADER, ICMP, SYN, TCP, UDP, query, read, sums_are_right, udp

from hardening.ends import CLIENT, OTHER_CLIENT, SERVER, Ends
from hardening.pieces import DONT_FRAGMENT, cut, numbered, piece, put_together
from hardening.segments import segment
from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import EXTERNAL

LARGE = random.Random(1858).randbytes(2000)
OTHER = random.Random(3128).randbytes(2000)
STATEFUL = ["FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"]
_numbers = count(1)
_ports = count(20000)

Cut = Callable[[bytes], list[bytes]]


def _at(packet: bytes, *starts: int) -> list[bytes]:
    """The packet's fragments that begin at these bytes, the last of them to its end."""
    ends = [*starts[1:], None]
    return [piece(packet, start, end, more=end is not None) for start, end in zip(starts, ends, strict=True)]


def _shuffled(parts: list[bytes]) -> list[bytes]:
    return random.Random(5).sample(parts, len(parts))


def _twice_with_other_bytes(packet: bytes) -> list[bytes]:
    first, *rest = cut(packet, 1000)
    return [first, piece(packet, 0, data=OTHER[:1000]), *rest]


def _with(other: Cut) -> Cut:
    """The packet's three fragments with others among them, before the last one."""

    def made(packet: bytes) -> list[bytes]:
        *first, last = cut(packet, 800)
        return [*first, *other(packet), last]

    return made


WHOLE: dict[str, Cut] = {
    "in order": lambda packet: cut(packet, 1400),
    "last first": lambda packet: cut(packet, 1400)[::-1],
    "shuffled": lambda packet: _shuffled(cut(packet, 400)),
    "one twice": lambda packet: [cut(packet, 1400)[0], *cut(packet, 1400)],
    "all but the last twice": lambda packet: [*cut(packet, 800)[:-1] * 2, cut(packet, 800)[-1]],
    "one again with other bytes": _twice_with_other_bytes,
    "written over the transport header": _with(lambda packet: [piece(packet, 0, data=OTHER[:16])]),
    "written over the flags (RFC 3128)": _with(lambda packet: [piece(packet, 8, data=OTHER[:8])]),
    "one across two": _with(lambda packet: [piece(packet, 400, data=OTHER[:800])]),
    "tiny first one": lambda packet: _at(packet, 0, 8, 1208),
    "tiny first one, last": lambda packet: _at(packet, 0, 8, 1208)[::-1],
    "tiny ones all": lambda packet: _shuffled(cut(packet, 8)),
    "told not to be fragments": lambda packet: cut(packet, 1400, DONT_FRAGMENT),
}
"""Fragments that are one packet again. Of one that lies within what has come already, nothing counts."""


def _orphans(*kept: int) -> Cut:
    """Only these of the packet's three fragments."""
    return lambda packet: [cut(packet, 800)[number] for number in kept]


NOTHING: dict[str, Cut] = {
    "the first alone": _orphans(0),
    "one of the middle alone": _orphans(1),
    "the last alone": _orphans(2),
    "the first missing": _orphans(1, 2),
    "one of the middle missing": _orphans(0, 2),
    "the last missing": _orphans(0, 1),
    "overlapping by eight bytes": lambda packet: [piece(packet, 0, 1000), *_at(packet, 992)],
    "overlapping, last first": lambda packet: [*_at(packet, 992), piece(packet, 0, 1000)],
    "one around another": lambda packet: [piece(packet, 400, 600), *cut(packet, 800)],
    "two ends": lambda packet: [piece(packet, 800, 1600, more=False), *cut(packet, 800)[::-1]],
    "behind the end": lambda packet: [
        piece(packet, 800, 1600, more=False),
        piece(packet, 1600, 2000),
        piece(packet, 0, 800),
    ],
    "past 65535 bytes": _with(lambda packet: [piece(packet, 65528, data=OTHER[:400])]),
    "filled past 65535 bytes": lambda packet: [
        *(piece(packet, start, data=OTHER[:1400]) for start in range(0, 65400, 1400)),
        piece(packet, 65408 // 1400 * 1400, more=False, data=OTHER[:1400]),
    ],
}
"""Fragments that are no packet, or not one a router should believe in."""


class Flow(NamedTuple):
    """A large packet each way, and whom the inbound one is for."""

    out: bytes
    into: bytes


def _large(protocol: int, ends: Ends) -> Flow:
    """A flow of its own each time, begun from inside by a small packet."""
    port, number = next(_ports), next(_numbers)
    if protocol == UDP:
        first, out = udp(CLIENT, port, SERVER, 53, b"begin"), udp(CLIENT, port, SERVER, 53, LARGE)
    elif protocol == TCP:
        first = segment(CLIENT, port, SERVER, 80)
        out = segment(CLIENT, port, SERVER, 80, ACK, sequence=1, acknowledged=1, payload=LARGE)
    else:
        first, out = query(CLIENT, SERVER, port), query(CLIENT, SERVER, port, payload=LARGE)
    (begun,) = ends.out([first])
    near = read(begun).source_port
    if protocol == UDP:
        into = udp(SERVER, 53, EXTERNAL, near, LARGE)
    elif protocol == TCP:
        assert ends.into([segment(SERVER, 80, EXTERNAL, near, SYN | ACK, acknowledged=1)])
        into = segment(SERVER, 80, EXTERNAL, near, ACK, sequence=1, acknowledged=1, payload=LARGE)
    else:
        into = query(SERVER, EXTERNAL, near, ECHO_REPLY, LARGE)
    return Flow(numbered(out, number), numbered(into, number))


@pytest.fixture(scope="module", params=[False, True], ids=["without conntrack", "with conntrack"])
def _tracked(request: pytest.FixtureRequest, lab: Lab) -> Iterator[bool]:
    """Does the router track connections? If so, its firewall drops what conntrack thinks invalid."""
    router = lab.topology.router
    if request.param:
        router.run("iptables", "-A", *STATEFUL)
    yield request.param
    assert bool(router.run("cat", "/proc/net/nf_conntrack")) == request.param
    if request.param:
        router.run("iptables", "-D", *STATEFUL)


every_way = pytest.mark.parametrize("way", ["out", "into"])
every_protocol = pytest.mark.parametrize("protocol", [UDP, TCP, ICMP], ids=["udp", "tcp", "icmp"])


def _pass(ends: Ends, flow: Flow, way: str, cut_up: Cut) -> list[bytes]:
    return ends.out(cut_up(flow.out)) if way == "out" else ends.into(cut_up(flow.into))


@pytest.mark.usefixtures("_tracked")
@every_way
@every_protocol
@pytest.mark.parametrize("how", WHOLE)
def test_fragments_that_are_a_packet_pass_as_one(ends: Ends, how: str, protocol: int, way: str) -> None:
    """Tiny fragments (RFC 1858), overlapping, overlong, orphan flood.

    They are put together, and translated as the one packet they are.
    """
    flow = _large(protocol, ends)
    (whole,) = put_together(_pass(ends, flow, way, WHOLE[how]))
    assert sums_are_right(whole)
    assert whole[HEADER + 8 :].endswith(LARGE)
    assert len(whole) == len(flow.out)
    expected = (EXTERNAL, SERVER) if way == "out" else (SERVER, CLIENT)
    assert (read(whole).source, read(whole).destination) == expected


@pytest.mark.usefixtures("_tracked")
@every_way
@every_protocol
@pytest.mark.parametrize("how", NOTHING)
def test_fragments_that_are_no_packet_pass_in_no_part(ends: Ends, how: str, protocol: int, way: str) -> None:
    """Tiny fragments (RFC 1858), overlapping, overlong, orphan flood."""
    assert not _pass(ends, _large(protocol, ends), way, NOTHING[how])


@pytest.mark.usefixtures("_tracked")
def test_the_fragments_of_two_hosts_with_one_identification_are_not_mixed(ends: Ends) -> None:
    """Tiny fragments (RFC 1858), overlapping, overlong, orphan flood.

    Interleaved on their way, told apart by their sources; then by numbers of the router's own.
    """
    port = next(_ports)
    sent = {
        host: cut(numbered(udp(host, port, SERVER, 53, payload), 7777), 1000)
        for host, payload in ((CLIENT, LARGE), (OTHER_CLIENT, OTHER))
    }
    mixed = [part for parts in zip(*sent.values(), strict=True) for part in parts]
    left = ends.out(mixed)
    assert len({packet[4:6] for packet in left}) == 2, "mixed up by the server, if its own fragments cross"
    first, second = put_together(left)
    assert (first[HEADER + 8 :], second[HEADER + 8 :]) == (LARGE, OTHER)
    assert read(first).source_port != read(second).source_port

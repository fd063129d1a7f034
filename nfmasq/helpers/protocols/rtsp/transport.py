"""The Transport header (RFC 2326 section 12.39, RFC 7826 section 18.54): its endpoints, parsed and rendered.

A header has alternatives between commas; each is a protocol and parameters between semicolons. Only those
over UDP to one host count: multicast, interleaved and D-ICE ones are left as they are. RTSP 1.0 writes
`client_port=5000-5001`, or one port, or `5000/5001`, and addresses in `destination` and `source`. RTSP 2.0
writes both in quotes: `dest_addr=":5000"/":5001"`.

A line may be folded: an alternative goes on in the next line, which is read by itself, so that nothing waits.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from itertools import pairwise
from typing import NamedTuple

from nfmasq.helpers.kit.base import Found, Mentioned, Named, NotActedOn, Place
from nfmasq.helpers.kit.numbers import LARGEST_PORT, dotted, port_number

OF_CLIENT = frozenset((b"client_port", b"destination", b"dest_addr"))
"""Parameters in which the client's endpoints stand."""
OF_SERVER = frozenset((b"server_port", b"source", b"src_addr"))
"""Parameters in which the server's endpoints stand."""
MOST_TOGETHER = 8
"""Ports that belong together: two for RTP and RTCP, more for a stream in layers."""

_PARAMETER = re.compile(rb"[ \t]*([^\s=;,\"]+)[ \t]*(?:=[ \t]*((?:\"[^\"]*\"|[^\";,])*))?[^;,]*([;,]?)")
_PORTS = re.compile(rb"(\d{1,20})(?:[ \t]*[-/][ \t]*(\d{1,20}))?[ \t]*")
_PIECE = re.compile(rb"[ \t]*\"?(\d{1,20}(?:\.\d{1,20}){3})?(?::(\d{1,20}))?\"?[ \t]*")


class Slot(NamedTuple):
    """An address, a port, or both with a colon between them; start and end are its span."""

    start: int
    end: int
    address: IPv4Address | None
    port: int | None

    def text(self, address: IPv4Address, port: int) -> bytes:
        """Another endpoint in the same form."""
        parts = [str(address).encode()] if self.address is not None else []
        return b":".join([*parts, b"%d" % port] if self.port is not None else parts)


class Parameter(NamedTuple):
    """A parameter with endpoints. name: in lower case. start: where its value begins."""

    name: bytes
    value: bytes
    start: int

    def slots(self) -> Iterator[Slot]:
        """What stands in it, in order. Raises NotActedOn."""
        if self.name.endswith(b"_port"):
            match = _PORTS.fullmatch(self.value)
            if match is None:
                raise NotActedOn("malformed")
            for group in (1, 2)[: match.lastindex]:
                start, end = match.span(group)
                yield Slot(self.start + start, self.start + end, None, port_number(match[group]))
            return
        at = self.start
        for piece in self.value.split(b"/"):
            match = _PIECE.fullmatch(piece)
            if match is None:
                raise NotActedOn("forged")  # a name, or IPv6: no address of the speaker's that we know
            address, port = match.groups()
            if match.lastindex:
                start, end = match.start(1) if address else match.start(2), match.end(match.lastindex)
                yield Slot(
                    at + start, at + end, dotted(address) if address else None,
                    port_number(port) if port else None,
                )  # fmt: skip
            at += len(piece) + 1


class Alternative(NamedTuple):
    """One of a header's transports, or the part of it in this line. is_udp: over UDP, to one host."""

    is_udp: bool
    parameters: list[Parameter]
    goes_on: bool
    """No comma has ended it: the next line may go on with it."""

    def slots(self, names: frozenset[bytes]) -> list[Slot]:
        """The slots in parameters of these names, in order. Raises NotActedOn."""
        return [slot for each in self.parameters if each.name in names for slot in each.slots()]


def alternatives(value: bytes, at: int, goes_on: bool | None = None) -> Iterator[Alternative]:
    """The alternatives in a line. at: where the value begins.

    goes_on: is_udp of the alternative that an earlier line has begun; None: a new one begins.
    """
    is_udp, parameters = goes_on, list[Parameter]()
    for match in _PARAMETER.finditer(value):
        name, text, mark = match.groups()
        if is_udp is None:
            is_udp = _is_udp(name)
        elif name.lower() == b"multicast":
            is_udp = False
        elif text and (name := name.lower()) in OF_CLIENT | OF_SERVER:
            parameters.append(Parameter(name, text, at + match.start(2)))
        if mark == b",":
            yield Alternative(is_udp, parameters, False)
            is_udp, parameters = None, []
    if is_udp is not None:
        yield Alternative(is_udp, parameters, True)


def announced(slots: list[Slot], value: bytes, at: int, before: set[int]) -> list[Found | Named]:
    """The endpoints that the speaker receives at. value: the line's text, from `at` on.

    before: first ports that this message has announced already; new ones are added.
    """
    ports = sorted({slot.port for slot in slots if slot.port is not None})
    if not ports:
        return []
    if ports[-1] - ports[0] >= MOST_TOGETHER:
        return [_alone(slot, before) for slot in slots]
    first = ports[0]
    count = ports[-1] - first + 1
    if sum(slot.port is not None for slot in slots) == 1 and first < LARGEST_PORT:
        count = 2  # RTCP comes to the next port, though it is not written
    addresses = {slot.address for slot in slots} - {None}
    if len(addresses) > 1:
        raise NotActedOn("forged")
    start, end = slots[0].start, slots[-1].end
    between = [value[one.end - at : other.start - at] for one, other in pairwise(slots)]

    def write(address: IPv4Address, port: int) -> bytes:
        texts = [slot.text(address, port + (slot.port or first) - first) for slot in slots]
        return b"".join(text + more for text, more in zip(texts, [*between, b""], strict=True))

    found = Found(start, end, next(iter(addresses), None), first, write, consecutive=count)
    return [_of_media(found, before)]


def mentioned(slots: list[Slot]) -> list[Place]:
    """The external endpoints in a reply, each to be restored by itself."""
    first = next((slot.port for slot in slots if slot.port is not None), None)
    if first is None:
        return []
    return [
        Mentioned(
            slot.start, slot.end, first if slot.port is None else slot.port, slot.text,
            address=slot.address, transport="udp",
        )
        for slot in slots
    ]  # fmt: skip


def rows(found: Iterable[Found | Named]) -> Iterator[int]:
    """All ports that these announce."""
    for each in found:
        if isinstance(each, Found):
            yield from range(each.port, each.port + each.consecutive)


def _alone(slot: Slot, before: set[int]) -> Found | Named:
    """A slot by itself: its port is far from the others."""
    if slot.port is None:
        assert slot.address is not None
        return Named(slot.start, slot.end, slot.address, slot.text)
    return _of_media(Found(slot.start, slot.end, slot.address, slot.port, slot.text), before)


def _of_media(found: Found, before: set[int]) -> Found:
    reuse = found.port in before
    before.add(found.port)
    return found._replace(transport="udp", as_seen=True, reuse=reuse, ends_with_control=True)


def _is_udp(protocol: bytes) -> bool:
    """RTP/AVP, RTP/AVP/UDP, x-real-rdt/udp; not RTP/AVP/TCP, x-pn-tng/tcp, RTP/AVP/D-ICE."""
    words = protocol.upper().split(b"/")
    return words[2] == b"UDP" if len(words) > 2 else words[-1] != b"TCP"

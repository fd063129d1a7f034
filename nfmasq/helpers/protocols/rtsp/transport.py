"""The Transport header (RFC 2326 section 12.39, RFC 7826 section 18.54): its alternatives, parsed.

A header has alternatives between commas; each is a protocol and parameters between semicolons. Only those
over UDP to one host count: multicast, interleaved and D-ICE ones are left as they are. RTSP 1.0 writes
`client_port=5000-5001`, or one port, or `5000/5001`, and addresses in `destination` and `source`. RTSP 2.0
writes both in quotes: `dest_addr=":5000"/":5001"`.

A folded header is read whole, for one line may contradict another: a fold counts as blanks.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address
from itertools import islice
from typing import NamedTuple

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.kit.numbers import dotted, port_number

OF_CLIENT = frozenset((b"client_port", b"destination", b"dest_addr"))
"""Parameters in which the client's endpoints stand."""
OF_SERVER = frozenset((b"server_port", b"source", b"src_addr"))
"""Parameters in which the server's endpoints stand."""
MOST_TOGETHER = 8
"""Ports that belong together: two for RTP and RTCP, more for a stream in layers."""
MOST_SLOTS = 16
"""Addresses and ports of one alternative that are read."""
MOST_PARAMETERS = 128
"""Parameters of a header; one with more goes untouched."""

_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_PARAMETER = re.compile(rb"((?:[^\";,]|\"[^\"]*\")*)([;,]?)")
_PORTS = re.compile(rb"(\d{1,20})(?:[ \t]*([-/])[ \t]*(\d{1,20}))?")
_PIECE = re.compile(rb"\"?(\d{1,20}(?:\.\d{1,20}){3})?(?::(\d{1,20}))?\"?")


class Slot(NamedTuple):
    """An address, a port, or both with a colon between them; start and end are its span.

    Neither address nor port: a host by its name, or by an address of IPv6.
    """

    start: int
    end: int
    address: IPv4Address | None
    port: int | None

    @property
    def is_named(self) -> bool:
        """Does it name a host by no IPv4 address?"""
        return self.address is None and self.port is None

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
        """The slots in its value, in order. Raises NotActedOn."""
        return self._ports() if self.name.endswith(b"_port") else self._endpoints()

    def _ports(self) -> Iterator[Slot]:
        match = _PORTS.fullmatch(self.value)
        if match is None:
            raise NotActedOn("malformed")
        slots = [
            Slot(
                self.start + match.start(group),
                self.start + match.end(group),
                None,
                port_number(match[group]),
            )
            for group in ((1, 3) if match[3] else (1,))
        ]
        ports = [slot.port or 0 for slot in slots]
        if match[2] == b"-" and max(ports) - min(ports) >= MOST_TOGETHER:
            raise NotActedOn("malformed")
        yield from slots

    def _endpoints(self) -> Iterator[Slot]:
        at = self.start
        for piece in self.value.split(b"/", MOST_SLOTS):
            text = piece.strip(b" \t")
            begin = at + piece.find(text)
            at += len(piece) + 1
            match = _PIECE.fullmatch(text)
            if match is None:
                yield Slot(begin, begin + len(text), None, None)
            elif match.lastindex:
                address, port = match.groups()
                yield Slot(
                    begin + match.start(1 if address else 2), begin + match.end(match.lastindex),
                    dotted(address) if address else None, port_number(port) if port else None,
                )  # fmt: skip


class Alternative(NamedTuple):
    """One of a header's transports. is_udp: over UDP, to one host."""

    is_udp: bool
    parameters: list[Parameter]

    def slots(self, names: frozenset[bytes]) -> list[Slot]:
        """The slots in parameters of these names, in order. Raises NotActedOn."""
        found = (slot for each in self.parameters if each.name in names for slot in each.slots())
        slots = list(islice(found, MOST_SLOTS + 1))
        if len(slots) > MOST_SLOTS:
            raise NotActedOn("no_room")
        return slots

    def addresses(self, names: frozenset[bytes]) -> list[Slot]:
        """The slots with an IPv4 address in parameters of these names; what cannot be read is left out."""
        found = list[Slot]()
        for each in self.parameters:
            if each.name in names:
                with suppress(NotActedOn):
                    found += [slot for slot in each.slots() if slot.address is not None]
        return found[:MOST_SLOTS]


def alternatives(header: bytes, at: int) -> Iterator[Alternative]:
    """The alternatives of a header, without its name. at: where its text begins.

    Raises NotActedOn: programs differ in where such a header ends, or it has too many parameters.
    """
    value = unfolded(header)
    if parameters_in(header) > MOST_PARAMETERS:
        raise NotActedOn("no_room")
    if b"\r" in value or b"\0" in value or value.count(b'"') % 2:
        raise NotActedOn("malformed")
    is_udp, parameters = None, list[Parameter]()
    for match in _PARAMETER.finditer(value):
        name, _, text = match[1].partition(b"=")
        word = name.strip().lower()
        if is_udp is None:
            is_udp = _is_udp(word) if word else None
        elif word == b"multicast":
            is_udp = False
        elif word in OF_CLIENT | OF_SERVER and text.strip():
            begin = match.end(1) - len(text.lstrip())
            parameters.append(Parameter(word, text.strip(), at + begin))
        if match[2] == b"," and is_udp is not None:
            yield Alternative(is_udp, parameters)
            is_udp, parameters = None, []
    if is_udp is not None:
        yield Alternative(is_udp, parameters)


def parameters_in(header: bytes) -> int:
    """How many parameters a header may have, protocols included."""
    return header.count(b";") + header.count(b",") + 1


def unfolded(header: bytes) -> bytes:
    """The text without its line's end; folds are blanks, so that all other bytes stay where they are."""
    text = header.removesuffix(b"\n").removesuffix(b"\r")
    return _FOLD.sub(lambda fold: b" " * len(fold[0]), text) if b"\n" in text else text


def _is_udp(protocol: bytes) -> bool:
    """RTP/AVP, RTP/AVP/UDP, x-real-rdt/udp; not RTP/AVP/TCP, x-pn-tng/tcp, RTP/AVP/D-ICE."""
    words = protocol.upper().split(b"/")
    return words[2] == b"UDP" if len(words) > 2 else words[-1] != b"TCP"

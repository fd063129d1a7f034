"""Legal-odd exchanges by name, for two NATs to translate, and in what nfmasq means to differ.

An exchange is a list of steps: which way, and a function from the external port learned so far to the
packet. An inbound step that needs a port none was learned for is left out.
"""

from collections.abc import Callable
from typing import NamedTuple, TypedDict, Unpack

from scapy.layers.sctp import crc32c
from support.packets import (
    ACK,
    AH,
    DCCP,
    ECHO_REPLY,
    ESP,
    EXCEEDED,
    FIN,
    GRE,
    HEADER,
    PARAMETER_PROBLEM,
    PSH,
    REDIRECT,
    RST,
    SYN,
    TIMESTAMP,
    TIMESTAMP_REPLY,
    UDPLITE,
    UNREACHABLE,
    URG,
    checksum,
    error,
    ip,
    portless,
    put,
    query,
    summed,
    udp,
    word,
)

from hardening.ends import CLIENT, SERVER
from hardening.segments import segment
from nfmasq.lab.topology import EXTERNAL, SERVER1

OUT, INTO = "out", "into"
PORT = 1700
"""The client's; each exchange adds its own number, so that none meets another's session."""


class Step(NamedTuple):
    """make: from the client's port and the external one to the packet."""

    way: str
    make: Callable[[int, int], bytes]


class Numbers(TypedDict, total=False):
    """The fields of a segment that a step may tell."""

    sequence: int
    acknowledged: int
    window: int
    urgent: int


def sent(flags: int = ACK, payload: bytes = b"", **more: Unpack[Numbers]) -> Step:
    """A segment of the client's."""
    return Step(
        OUT,
        lambda port, near: segment(CLIENT, port, SERVER, 80, flags, payload=payload, **_numbers(flags, more)),
    )


def got(flags: int = ACK, payload: bytes = b"", **more: Unpack[Numbers]) -> Step:
    """A segment of the server's."""
    return Step(
        INTO,
        lambda port, near: segment(
            SERVER, 80, EXTERNAL, near, flags, payload=payload, **_numbers(flags, more)
        ),
    )


def _numbers(flags: int, more: Numbers) -> Numbers:
    """Both begin at 1000; after the SYN both stand at 1001, unless told."""
    told: Numbers = {"sequence": 1000 if flags & SYN else 1001, "acknowledged": 1001 if flags & ACK else 0}
    told.update(more)
    return told


def asked(payload: bytes = b"question", without_sum: bool = False) -> Step:
    """A datagram of the client's."""
    return Step(OUT, lambda port, near: udp(CLIENT, port, SERVER, 53, payload, without_sum=without_sum))


def answered(payload: bytes = b"answer", without_sum: bool = False) -> Step:
    """One of the server's."""
    return Step(INTO, lambda port, near: udp(SERVER, 53, EXTERNAL, near, payload, without_sum=without_sum))


def with_tos(step: Step, tos: int) -> Step:
    """The step's packet with this service byte."""

    def make(port: int, near: int) -> bytes:
        packet = put(put(step.make(port, near), 1, bytes([tos])), 10, b"\0\0")
        return put(packet, 10, word(checksum(packet[:HEADER])))

    return Step(step.way, make)


def spoilt(step: Step, at: int) -> Step:
    """The step's packet with a wrong byte, its checksum left as it was."""

    def make(port: int, near: int) -> bytes:
        packet = step.make(port, near)
        return put(packet, at, bytes([packet[at] ^ 0x5A]))

    return Step(step.way, make)


HANDSHAKE = [sent(SYN), got(SYN | ACK), sent()]
EXCHANGE = [*HANDSHAKE, sent(payload=b"question"), got(payload=b"answer", acknowledged=1009)]


def told(kind: int, code: int, rest: int = 0, length: int | None = None) -> Step:
    """An error of the server's about the client's datagram."""
    return Step(
        INTO,
        lambda port, near: error(
            SERVER, EXTERNAL, udp(EXTERNAL, near, SERVER, 53)[:length], kind, code, rest=rest
        ),
    )


def complained(kind: int, code: int) -> Step:
    """An error of the client's about the server's datagram."""
    return Step(
        OUT, lambda port, near: error(CLIENT, SERVER, udp(SERVER, 53, CLIENT, port, b"answer"), kind, code)
    )


def pinged(kind: int = 8, payload: bytes = b"abcdefgh") -> Step:
    return Step(OUT, lambda port, near: query(CLIENT, SERVER, port, kind, payload))


def ponged(kind: int = ECHO_REPLY, payload: bytes = b"abcdefgh") -> Step:
    return Step(INTO, lambda port, near: query(SERVER, EXTERNAL, near, kind, payload))


def tunnelled(protocol: int, payload: bytes = b"tunnel  ") -> list[Step]:
    """A packet each way of a protocol without ports."""
    return [
        Step(OUT, lambda port, near: portless(CLIENT, SERVER, protocol, payload)),
        Step(INTO, lambda port, near: portless(SERVER, EXTERNAL, protocol, payload)),
    ]


def _summed_tunnel(protocol: int, segment_: bytes) -> list[Step]:
    """The same of a protocol whose checksum covers the addresses."""
    return [
        Step(
            OUT, lambda port, near: ip(CLIENT, SERVER, protocol, summed(CLIENT, SERVER, protocol, segment_))
        ),
        Step(
            INTO,
            lambda port, near: ip(SERVER, EXTERNAL, protocol, summed(SERVER, EXTERNAL, protocol, segment_)),
        ),
    ]


_INIT = bytes.fromhex("06a5 0050 00000000 00000000 01000014 00000001 00010000 00010001 00000001")
_INIT_ACK = bytes.fromhex("0050 06a5 00000001 00000000 02000014 00000002 00010000 00010001 00000001")
"""How SCTP begins (RFC 9260), the checksum still to be written."""


def _with_crc(packet: bytes) -> bytes:
    """RFC 9260 section 6.8."""
    crc: Callable[[bytes], int] = crc32c
    return put(packet, 8, crc(packet).to_bytes(4))


EXCHANGES: dict[str, list[Step]] = {
    "UDP": [asked(), answered(), asked(b""), answered(b""), asked(b"odd"), answered(b"odd")],
    "UDP without a checksum": [asked(without_sum=True), answered(without_sum=True)],
    "UDP with a wrong checksum": [spoilt(asked(), 30), spoilt(answered(), 30)],
    "UDP shorter than its packet": [
        Step(OUT, lambda port, near: ip(CLIENT, SERVER, 17, udp(CLIENT, port, SERVER, 53)[HEADER:] + b"tail"))
    ],
    "UDP from port 0": [Step(OUT, lambda port, near: udp(CLIENT, 0, SERVER, 53))],
    "service bytes": [with_tos(asked(), 0xB9), with_tos(answered(), 0x03)],
    "handshake and data": [*EXCHANGE, sent(acknowledged=1007, sequence=1009)],
    "close": [*HANDSHAKE, sent(FIN | ACK), got(acknowledged=1002), got(FIN | ACK, acknowledged=1002),
              sent(sequence=1002, acknowledged=1002)],
    "reset by the server": [*HANDSHAKE, got(RST), sent(payload=b"late")],
    "reset by the client": [*HANDSHAKE, sent(RST)],
    "refused": [sent(SYN), got(RST | ACK, sequence=0)],
    "SYN with ECN": [sent(SYN | 0xC0), got(SYN | ACK | 0x40)],
    "SYN with data": [sent(SYN, b"early"), got(SYN | ACK, acknowledged=1006)],
    "SYN with URG": [sent(SYN | URG, urgent=4)],
    "SYN with PSH": [sent(SYN | PSH)],
    "SYN and FIN": [sent(SYN | FIN)],
    "SYN and RST": [sent(SYN | RST)],
    "no flags": [sent(0)],
    "FIN alone": [sent(FIN)],
    "all flags": [sent(0xFF)],
    "ACK out of the blue": [sent(ACK)],
    "FIN out of the blue": [sent(FIN | ACK)],
    "reset out of the blue": [sent(RST)],
    "SYN-ACK out of the blue": [sent(SYN | ACK)],
    "simultaneous open": [sent(SYN), got(SYN), sent(SYN | ACK), got(SYN | ACK)],
    "SYN again": [sent(SYN), sent(SYN), got(SYN | ACK), got(SYN | ACK), sent(), got(SYN | ACK), sent()],
    "keep-alives": [*EXCHANGE, sent(sequence=1008, acknowledged=1007), got(sequence=1006, acknowledged=1009),
                    sent(sequence=1008, acknowledged=1007, payload=b"g")],
    "sent again": [*EXCHANGE, sent(payload=b"question"), got(payload=b"answer", acknowledged=1009)],
    "out of order": [*HANDSHAKE, sent(sequence=1005, payload=b"tion"), sent(payload=b"ques"),
                     got(acknowledged=1009)],
    "closed window": [*HANDSHAKE, got(window=0), sent(sequence=1000), sent(payload=b"p"), got(window=0)],
    "urgent data": [*HANDSHAKE, sent(ACK | URG | PSH, b"!", urgent=1),
                    sent(ACK, b"?", sequence=1002, urgent=7)],
    "half closed": [*HANDSHAKE, sent(FIN | ACK), got(acknowledged=1002, payload=b"goes on"),
                    sent(sequence=1002, acknowledged=1008)],
    "a SYN in the middle": [*HANDSHAKE, sent(SYN, sequence=77000), got(), sent(RST, sequence=1001)],
    "a reset beside the mark": [*HANDSHAKE, got(RST, sequence=1500), sent(payload=b"goes on")],
    "data far ahead": [*HANDSHAKE, got(sequence=1001 + (1 << 24), payload=b"x")],
    "acknowledgment of nothing": [*HANDSHAKE, got(acknowledged=1001 + (1 << 24))],
    "TCP with a wrong checksum": [spoilt(sent(SYN), 35)],
    "ping": [pinged(), ponged(), pinged(payload=b""), ponged(payload=b"")],
    "timestamp query": [pinged(TIMESTAMP, bytes(12)), ponged(TIMESTAMP_REPLY, bytes(12))],
    "mask query": [pinged(17, bytes(4)), ponged(18, bytes(4))],
    "ping with a wrong checksum": [spoilt(pinged(), 30)],
    "reply nobody asked for": [pinged(0)],
    "unknown ICMP": [pinged(200)],
    "router solicitation": [pinged(10, b"")],
    "extended echo": [pinged(42)],
    "errors from outside": [asked(), told(UNREACHABLE, 1), told(UNREACHABLE, 3), told(UNREACHABLE, 4, 1400),
                            told(EXCEEDED, 0), told(EXCEEDED, 1), told(PARAMETER_PROBLEM, 0, 1 << 24)],
    "error with the least quote": [asked(), told(UNREACHABLE, 3, length=28)],
    "error with less": [asked(), told(UNREACHABLE, 3, length=24)],
    "source quench": [asked(), told(4, 0)],
    "redirect": [asked(), told(REDIRECT, 1, int(SERVER1))],
    "errors from inside": [asked(), answered(), complained(UNREACHABLE, 3), complained(EXCEEDED, 1)],
    "error about nothing": [complained(UNREACHABLE, 3)],
    "GRE": tunnelled(GRE, bytes.fromhex("00000800") + b"data"),
    "ESP": tunnelled(ESP),
    "AH": tunnelled(AH, bytes(24)),
    "IP in IP": tunnelled(4, udp(SERVER, 1, SERVER, 2)),
    "SCTP": [Step(OUT, lambda port, near: portless(CLIENT, SERVER, 132, _with_crc(_INIT))),
             Step(INTO, lambda port, near: portless(SERVER, EXTERNAL, 132, _with_crc(_INIT_ACK)))],
    "UDP-Lite": _summed_tunnel(UDPLITE, bytes.fromhex("06a5 0035 0008 0000")),
    "DCCP": _summed_tunnel(DCCP, bytes.fromhex("06a5 0035 0400 0000 00000001 00000000")),
    "protocol 255": tunnelled(255),
}  # fmt: skip


class Difference(NamedTuple):
    """What each does, a letter a step, and why nfmasq means to.

    t: translated, l: leaked as it was, -: dropped. same: what both translate is the same to the last byte.
    """

    kernel: str
    nfmasq: str
    why: str
    same: bool = True


INVALID = (
    "The kernel forwards what conntrack calls invalid untranslated; nfmasq lets no internal address out."
)
SPOILT = "A wrong checksum is for the receiver to find: translated, its error kept. The kernel leaks it."
INTENDED = {
    "UDP with a wrong checksum": Difference("l -", "t t", SPOILT),
    "TCP with a wrong checksum": Difference("l", "t", SPOILT),
    "ping with a wrong checksum": Difference("l", "t", SPOILT),
    "UDP shorter than its packet": Difference("l", "t", "Bytes behind the datagram are no harm."),
    "UDP from port 0": Difference("t", "-", "Nothing could be answered, and 0 means no port in the table."),
    "SYN and FIN": Difference("l", "-", INVALID),
    "SYN and RST": Difference("l", "-", INVALID),
    "no flags": Difference("l", "-", INVALID),
    "FIN alone": Difference("l", "-", INVALID),
    "all flags": Difference("l", "-", INVALID),
    "FIN out of the blue": Difference("l", "-", INVALID),
    "reset out of the blue": Difference("l", "-", INVALID),
    "SYN-ACK out of the blue": Difference("l", "-", INVALID),
    "ACK out of the blue": Difference("t", "-", "Only a SYN begins a session; sessions outlive restarts."),
    "reply nobody asked for": Difference("l", "-", INVALID),
    "unknown ICMP": Difference("l", "-", INVALID),
    "router solicitation": Difference("l", "-", INVALID),
    "extended echo": Difference("l", "-", INVALID),
    "error about nothing": Difference("l", "-", INVALID),
    "source quench": Difference("t t", "t -", "Deprecated, and good for attacks alone (RFC 6633)."),
    "AH": Difference("t t", "- -", "It authenticates the addresses: no translation can be right."),
    "UDP-Lite": Difference("l -", "t t", "The kernel thinks its checksum wrong."),
    "DCCP": Difference(
        "t t", "t t", "The kernel leaves the checksum, which covers the addresses, wrong.", False
    ),
}

"""Malformed packets by name, and what becomes of each on its way through the router.

A fate is the reason nfmasq must count, or one of the words below.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_RR, IPOption_SSRR
from scapy.packet import Packet, Raw
from scapy.utils import checksum

from nfmasq.lab.topology import CLIENT1, EXTERNAL, ROUTER_INTERNAL, SERVER1, SERVER2

KERNEL = "the kernel drops it before nfmasq sees it"
ROUTER = "it may be for the router itself, which gets it"
TRANSLATED = "it goes on, translated"
EITHER = "translated, or dropped with any reason"

MAPPED_PORT = 3000
"""The client's UDP port from which the tests have spoken with SERVER1 before."""


class Case(NamedTuple):
    """What is sent, in order, and the fate of the last of it."""

    packets: tuple[bytes, ...]
    fate: str


def _ip(**fields: Any) -> Packet:
    return IP(**{"src": str(CLIENT1), "dst": str(SERVER1), **fields})


def _tcp(**fields: Any) -> Packet:
    return TCP(**{"sport": MAPPED_PORT, "dport": 80, **fields})


def _udp(**fields: Any) -> Packet:
    return UDP(**{"sport": MAPPED_PORT, "dport": 7, **fields})


def _case(fate: str, *packets: Packet | bytes) -> Case:
    return Case(tuple(bytes(packet) for packet in packets), fate)


def with_header(packet: Packet | bytes, *, total: int | None = None, first: int | None = None) -> bytes:
    """A packet with a false total length or first byte in its IP header, whose checksum is right."""
    raw = bytearray(bytes(packet))
    if total is not None:
        raw[2:4] = total.to_bytes(2)
    if first is not None:
        raw[0] = first
    raw[10:12] = bytes(2)
    raw[10:12] = checksum(bytes(raw[: (raw[0] & 0x0F) * 4])).to_bytes(2)
    return bytes(raw)


def cut(packet: Packet, length: int) -> bytes:
    """The beginning of a packet, whose IP header owns up to it."""
    return with_header(bytes(packet)[:length], total=length)


def with_options(options: bytes, **fields: Any) -> bytes:
    """A UDP packet with these bytes as its IP options (a multiple of four)."""
    plain = bytes(_ip(**fields) / _udp())
    raw = plain[:20] + options + plain[20:]
    return with_header(raw, total=len(raw), first=0x45 + len(options) // 4)


def _error(quoted: Packet | bytes, **fields: Any) -> Packet:
    return _ip() / ICMP(type=3, code=3, **fields) / quoted


TO_CLIENT = IP(src=str(SERVER1), dst=str(CLIENT1))

LENGTHS = {
    "IP header only": _case("truncated", _ip(proto=6)),
    "TCP cut at 10 bytes": _case("truncated", cut(_ip() / _tcp(), 30)),
    "UDP cut at 4 bytes": _case("truncated", cut(_ip() / _udp(), 24)),
    "ICMP cut at 4 bytes": _case("truncated", cut(_ip() / ICMP(), 24)),
    "TCP header longer than the segment": _case("tcp_header_invalid", _ip() / _tcp(dataofs=15, flags="S")),
    "TCP header of 12 bytes": _case("tcp_header_invalid", _ip() / _tcp(dataofs=3, flags="S")),
    "UDP length 4": _case("udp_length_invalid", _ip() / _udp(len=4)),
    "UDP length past the end": _case("udp_length_invalid", _ip() / _udp(len=400) / b"abc"),
    "IP longer than the frame": _case(KERNEL, with_header(_ip() / _udp(), total=900)),
    "IP shorter than its header": _case(KERNEL, with_header(_ip() / _udp(), total=12)),
    "IP header of 16 bytes": _case(KERNEL, with_header(_ip() / _udp(), first=0x44)),
    "IP header past the end": _case(KERNEL, bytes([0x4F]) + bytes(_ip() / _udp())[1:]),
    "IP version 6": _case(KERNEL, with_header(_ip() / _udp(), first=0x65)),
    "GRE without a header": _case(TRANSLATED, _ip(proto=47)),
}

CHECKSUMS = {
    "IP": _case(KERNEL, _ip(chksum=0x1234) / _udp()),
    "TCP": _case(TRANSLATED, _ip() / _tcp(flags="S", chksum=0x1234)),
    "UDP": _case(TRANSLATED, _ip() / _udp(chksum=0x1234) / b"abc"),
    "ICMP query": _case(TRANSLATED, _ip() / ICMP(chksum=0x1234, id=7)),
    "ICMP error": _case("icmp_checksum_wrong", _error(TO_CLIENT / UDP(sport=7, dport=3000), chksum=0x1234)),
}

FLAGS = {
    "NULL": _case("tcp_flags_invalid", _ip() / _tcp(flags="")),
    "Xmas": _case("tcp_flags_invalid", _ip() / _tcp(flags="FPU")),
    "SYN+FIN": _case("tcp_flags_invalid", _ip() / _tcp(flags="SF")),
    "SYN+RST": _case("tcp_flags_invalid", _ip() / _tcp(flags="SR")),
    "FIN alone": _case("tcp_flags_invalid", _ip() / _tcp(flags="F")),
    "all of them": _case("tcp_flags_invalid", _ip() / _tcp(flags=0xFF)),
    "ACK out of the blue": _case("tcp_no_session", _ip() / _tcp(flags="A", sport=3999)),
    "RST out of the blue": _case("tcp_no_session", _ip() / _tcp(flags="R", sport=3999)),
    "SYN+ACK out of the blue": _case("tcp_no_session", _ip() / _tcp(flags="SA", sport=3999)),
    "SYN with reserved bits": _case(TRANSLATED, _ip() / _tcp(flags="S", reserved=7, sport=3779)),
    "SYN with URG": _case(TRANSLATED, _ip() / _tcp(flags="SU", urgptr=5, sport=3778)),
    "TCP option of length 0": _case(
        TRANSLATED, _ip(proto=6) / (bytes(_tcp(sport=3777, dataofs=6, flags="S")) + b"\x02\x00\x05\xb4")
    ),
    "TCP port 0": _case("port_zero", _ip() / _tcp(sport=0, flags="S")),
    "UDP source port 0": _case("port_zero", _ip() / _udp(sport=0)),
    "UDP destination port 0": _case("port_zero", _ip() / _udp(dport=0)),
}

OPTIONS = {
    "loose source route": _case(KERNEL, _ip(options=IPOption_LSRR(routers=[str(SERVER2)])) / _udp()),
    "strict source route": _case(KERNEL, _ip(options=IPOption_SSRR(routers=[str(SERVER2)])) / _udp()),
    "length 0": _case(KERNEL, with_options(b"\x07\x00\x04\x00")),
    "past the header": _case(KERNEL, with_options(b"\x07\x20\x04\x00")),
    "no-operations": _case(TRANSLATED, with_options(b"\x01\x01\x01\x00")),
    "router alert": _case(TRANSLATED, with_options(b"\x94\x04\x00\x00")),
    "empty record route": _case(EITHER, _ip(options=IPOption_RR(routers=["0.0.0.0"] * 3)) / _udp()),
    "record route with the client in it": _case(
        EITHER, _ip(options=IPOption_RR(pointer=8, routers=[str(CLIENT1), "0.0.0.0"])) / _udp()
    ),
    "timestamps alone": _case(TRANSLATED, with_options(b"\x44\x0c\x05\x00" + bytes(8))),
    "timestamps with addresses": _case(EITHER, with_options(b"\x44\x0c\x05\x01" + bytes(8))),
    "timestamps with the client in it": _case(
        EITHER, with_options(b"\x44\x14\x0d\x01" + CLIENT1.packed + bytes(12))
    ),
}

SOURCES = {
    "loopback": _case(KERNEL, _ip(src="127.0.0.1") / _udp()),
    "multicast": _case(KERNEL, _ip(src="224.0.0.5") / _udp()),
    "this network": _case(KERNEL, _ip(src="0.0.0.0") / _udp()),
    "broadcast": _case(KERNEL, _ip(src="255.255.255.255") / _udp()),
    "the router's external": _case(KERNEL, _ip(src=str(EXTERNAL)) / _udp()),
    "the router's internal": _case(KERNEL, _ip(src=str(ROUTER_INTERNAL)) / _udp()),
    "class E": _case("source_not_internal", _ip(src="240.0.0.1") / _udp()),
    "somebody else's": _case("source_not_internal", _ip(src="192.0.2.9") / _udp()),
    "another private network": _case("source_not_internal", _ip(src="10.9.9.9") / _udp()),
    "the server's own (LAND)": _case("source_not_internal", _ip(src=str(SERVER1)) / _tcp(flags="S")),
}

DESTINATIONS = {
    "loopback": _case(KERNEL, _ip(dst="127.0.0.1") / _udp()),
    "multicast": _case(KERNEL, _ip(dst="224.1.1.1") / _udp()),
    "the WAN's broadcast": _case(KERNEL, _ip(dst="203.0.113.255") / _udp()),
    "this network": _case("destination_martian", _ip(dst="0.1.2.3") / _udp()),
    "class E": _case("destination_martian", _ip(dst="240.1.2.3") / _udp()),
}

FRAGMENTS = {
    "tiny first one alone": _case(KERNEL, _ip(flags="MF", id=1) / bytes(_tcp(flags="S"))[:8]),
    "last one alone": _case(KERNEL, _ip(frag=100, id=2, proto=17) / Raw(bytes(40))),
    "overlapping": _case(
        KERNEL,
        _ip(flags="MF", id=3, proto=17) / (bytes(_udp(len=64)) + bytes(32)),
        _ip(frag=2, id=3, proto=17) / Raw(bytes(48)),
    ),
    "past 65535 bytes": _case(KERNEL, _ip(frag=8189, id=4, proto=17) / Raw(bytes(400))),
    "told not to be one": _case(KERNEL, _ip(flags="MF+DF", id=5) / _udp() / Raw(bytes(40))),
    "TCP header in two": _case(
        TRANSLATED,
        _ip(flags="MF", id=6, proto=6) / bytes(_tcp(flags="S"))[:8],
        _ip(frag=1, id=6, proto=6) / bytes(_tcp(flags="S"))[8:],
    ),
}

ICMPS = {
    "redirect": _case("icmp_type_unsupported", _ip() / ICMP(type=5) / TO_CLIENT / UDP()),
    "unknown type": _case("icmp_type_unsupported", _ip() / ICMP(type=200)),
    "router solicitation": _case("icmp_type_unsupported", _ip() / ICMP(type=10)),
    "echo reply out of the blue": _case("icmp_no_session", _ip() / ICMP(type=0, id=9)),
    "error about no session": _case("icmp_error_unmatched", _error(TO_CLIENT / UDP(sport=9, dport=9999))),
    "error with half a header": _case("icmp_quote_truncated", _error(bytes(TO_CLIENT / UDP())[:12])),
    "error about its own packet": _case("icmp_quote_invalid", _error(_ip() / _udp())),
    "error about another's packet": _case(
        "icmp_quote_invalid", _error(IP(src=str(SERVER2), dst=str(CLIENT1)) / UDP(sport=9, dport=9999))
    ),
}

PROTOCOLS = {
    "AH": _case("protocol_untranslatable", _ip(proto=51) / Raw(bytes(24))),
    "hop-by-hop": _case(TRANSLATED, _ip(proto=0) / Raw(bytes(24))),
    "reserved": _case(TRANSLATED, _ip(proto=255) / Raw(bytes(24))),
}

LIFETIMES = {
    "1": _case(KERNEL, _ip(ttl=1) / _udp()),
    "0": _case(KERNEL, _ip(ttl=0) / _udp()),
}


def _named(group: str, cases: Mapping[str, Case]) -> dict[str, Case]:
    return {f"{group}: {name}": case for name, case in cases.items()}


FROM_THE_LAN = {
    **_named("length", LENGTHS),
    **_named("checksum", CHECKSUMS),
    **_named("flags", FLAGS),
    **_named("option", OPTIONS),
    **_named("source", SOURCES),
    **_named("destination", DESTINATIONS),
    **_named("fragment", FRAGMENTS),
    **_named("ICMP", ICMPS),
    **_named("protocol", PROTOCOLS),
    **_named("time to live", LIFETIMES),
}


def _in(**fields: Any) -> Packet:
    return IP(**{"src": str(SERVER1), "dst": str(EXTERNAL), **fields})


FROM_THE_WAN = {
    "straight to a client": _case("destination_internal", _in(dst=str(CLIENT1)) / UDP(sport=7, dport=3000)),
    "a client as its source": _case("source_internal", _in(src=str(CLIENT1)) / UDP(sport=7, dport=20000)),
    "our own address as its source": _case("source_ours", _in(src=str(EXTERNAL)) / UDP(dport=20000)),
    "multicast as its source": _case("source_martian", _in(src="224.0.0.5") / UDP(dport=20000)),
    "SYN nobody waits for": _case("no_mapping", _in() / TCP(dport=32000, flags="S")),
    "datagram nobody waits for": _case("no_mapping", _in() / UDP(dport=32000)),
    "NULL": _case("tcp_flags_invalid", _in() / TCP(dport=20000, flags="")),
    "SYN+FIN": _case("tcp_flags_invalid", _in() / TCP(dport=20000, flags="SF")),
    "UDP length past the end": _case("udp_length_invalid", _in() / UDP(dport=20000, len=400)),
    "TCP cut at 10 bytes": _case("truncated", cut(_in() / TCP(dport=20000), 30)),
    "bad IP checksum": _case(KERNEL, _in(chksum=0x1234) / UDP(dport=20000)),
    "redirect": _case("icmp_type_unsupported", _in() / ICMP(type=5) / _in() / UDP()),
    "echo reply out of the blue": _case(ROUTER, _in() / ICMP(type=0, id=20000)),
    "error about no session": _case(
        ROUTER,
        _in() / ICMP(type=3, code=1) / IP(src=str(EXTERNAL), dst=str(SERVER2)) / UDP(sport=20000, dport=53),
    ),
    "error not about us": _case(
        "icmp_quote_invalid",
        _in() / ICMP(type=3, code=1) / IP(src=str(SERVER1), dst=str(EXTERNAL)) / UDP(sport=1, dport=53),
    ),
    "last fragment alone": _case(KERNEL, _in(frag=100, id=2, proto=17) / Raw(bytes(40))),
    "loose source route": _case(
        "source_routed", _in(options=IPOption_LSRR(routers=[str(CLIENT1)])) / UDP(dport=20000)
    ),
}

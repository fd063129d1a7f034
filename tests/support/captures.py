"""Packets of capture files, pcap and pcapng, as the tests of protocols read them.

The frames count from 1, as Wireshark counts them. Fragments and IPv6 are left out.
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

TCP, UDP, GRE = 6, 17, 47
_HEADERS = {0: 4, 1: 14, 101: 0, 113: 16, 228: 0, 276: 20}
"""Bytes before the network header, by the link's type."""
_VLANS = {0x8100, 0x88A8}


class Frame(NamedTuple):
    """An IPv4 packet. payload: behind the header of TCP or UDP; of other protocols, behind IP's."""

    number: int
    protocol: int
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    sequence: int
    payload: bytes


def frames(path: Path) -> list[Frame]:
    """All whole IPv4 packets of a file, in order."""
    data = path.read_bytes()
    records = _pcapng(data) if data[:4] == b"\n\r\r\n" else _pcap(data)
    read = (_frame(number, link, packet) for number, (link, packet) in enumerate(records, 1))
    return [frame for frame in read if frame is not None]


def _pcap(data: bytes) -> Iterator[tuple[int, bytes]]:
    order = "<" if data[:4] in {b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"} else ">"
    link = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF  # the upper half speaks of checksums
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from(order + "I", data, at + 8)[0]
        yield link, data[at + 16 : at + 16 + size]
        at += 16 + size


def _pcapng(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, order, links = 0, "<", list[int]()
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\n\r\r\n":
            order, links = ("<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"), []
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind == 1:
            links.append(struct.unpack_from(order + "H", data, at + 8)[0])
        elif kind == 6:
            interface, _, _, captured = struct.unpack_from(order + "IIII", data, at + 8)
            yield links[interface], data[at + 28 : at + 28 + captured]
        elif kind == 3:
            yield links[0], data[at + 12 : at + size - 4]
        at += size


def _frame(number: int, link: int, packet: bytes) -> Frame | None:
    at = _HEADERS[link]
    while link == 1 and int.from_bytes(packet[at - 2 : at]) in _VLANS:
        at += 4
    packet = packet[at:]
    if len(packet) < 20 or packet[0] >> 4 != 4 or int.from_bytes(packet[6:8]) & 0x3FFF:
        return None
    packet = packet[: int.from_bytes(packet[2:4]) or None]
    at, protocol = (packet[0] & 15) << 2, packet[9]
    near = far = sequence = 0
    if protocol in {TCP, UDP} and len(packet) >= at + 8:
        near, far = struct.unpack_from("!HH", packet, at)
        sequence = int.from_bytes(packet[at + 4 : at + 8]) if protocol == TCP else 0
        at += (packet[at + 12] >> 4) << 2 if protocol == TCP and len(packet) > at + 12 else 8
    addresses = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    return Frame(number, protocol, addresses[0], near, addresses[1], far, sequence, packet[at:])

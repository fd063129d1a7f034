"""Packets as the benches send them: IPv4 without options, all checksums right."""

import struct
from ipaddress import IPv4Address

from nfmasq._fastpath import checksum

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

_TCP, _UDP = 6, 17
_DF, _TTL = 0x4000, 64
_WINDOW = 0xFFFF

Endpoint = tuple[IPv4Address, int]


def datagram(source: Endpoint, target: Endpoint, size: int) -> bytes:
    """A UDP datagram of `size` bytes of payload, zeros."""
    udp = struct.pack("!HHHH", source[1], target[1], 8 + size, 0) + bytes(size)
    return _packet(_UDP, source, target, udp, 6)


def segment(
    source: Endpoint,
    target: Endpoint,
    flags: int,
    numbers: tuple[int, int] = (0, 0),
    *,
    size: int = 0,
    payload: bytes = b"",
    finished: bool = True,
) -> bytes:
    """A TCP segment with this payload, or with `size` bytes of zeros.

    numbers: the sequence number and the acknowledgment number.
    finished: False for one whose checksum a device is still to complete: the pseudo-header sum stands there.
    """
    head = struct.pack("!HHIIBBH", source[1], target[1], *numbers, 5 << 4, flags, _WINDOW)
    tcp = head + bytes(4) + (payload or bytes(size))
    return _packet(_TCP, source, target, tcp, 16, finished=finished)


def _packet(
    protocol: int, source: Endpoint, target: Endpoint, transport: bytes, place: int, *, finished: bool = True
) -> bytes:
    """The IP header before it, and the checksum at that place of what it carries."""
    pseudo = source[0].packed + target[0].packed + struct.pack("!HH", protocol, len(transport))
    if finished:
        # A UDP checksum of 0 would say that there is none; 0xFFFF is the same number (RFC 768).
        check = 0xFFFF ^ checksum(pseudo + transport) or (0xFFFF if protocol == _UDP else 0)
    else:
        check = checksum(pseudo)
    transport = transport[:place] + struct.pack("!H", check) + transport[place + 2 :]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 0, _DF, _TTL, protocol, 0)
    ip += source[0].packed + target[0].packed
    return ip[:10] + struct.pack("!H", 0xFFFF ^ checksum(ip)) + ip[12:] + transport

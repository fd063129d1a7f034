"""Fragments: cutting up, a narrow cable on the way, and what of them arrives."""

from collections.abc import Iterator
from contextlib import contextmanager

from nfmasq.lab.packets import MF, checksum, put, word_at
from nfmasq.lab.rfc.ground import Ground

NARROW = 1200
_EIGHT_BYTES = 1376 // 8
"""How much of a datagram goes into each fragment of `cut`."""


@contextmanager
def narrow(ground: Ground) -> Iterator[None]:
    """Let the router's external cable pass no more than 1200 bytes."""
    router = ground.net.router
    router.ip(f"link set wan0 mtu {NARROW}")
    try:
        yield
    finally:
        router.ip("link set wan0 mtu 1500")


@contextmanager
def kept_for_a_second(ground: Ground) -> Iterator[None]:
    """Let the router's kernel wait no longer than a second for the other fragments of a datagram."""
    ground.net.router.sysctl("ipv4/ipfrag_time", 1)
    try:
        yield
    finally:
        ground.net.router.sysctl("ipv4/ipfrag_time", 30)


def offset(packet: bytes) -> int:
    """Where in its datagram a fragment belongs, in bytes."""
    return (word_at(packet, 6) & 0x1FFF) * 8


def cut(packet: bytes) -> list[bytes]:
    """The fragments of a packet without options, in order."""
    payload = packet[20:]
    parts = []
    for at in range(0, len(payload), _EIGHT_BYTES * 8):
        part = payload[at : at + _EIGHT_BYTES * 8]
        more = MF if at + len(part) < len(payload) else 0
        header = put(packet[:20], 2, (20 + len(part)).to_bytes(2))
        header = put(header, 6, (more | at // 8).to_bytes(2))
        header = put(header, 10, b"\0\0")
        parts.append(put(header, 10, checksum(header).to_bytes(2)) + part)
    return parts


def through(ground: Ground, parts: list[bytes]) -> bytes:
    """Send these fragments of one UDP datagram from inside; the payload that arrives, put together."""
    return joined(ground.all_out(parts, at_least=len(parts)))


def joined(parts: list[bytes]) -> bytes:
    """The payload of the UDP datagram that these are the fragments of."""
    return b"".join(part[20:] for part in sorted(parts, key=offset))[8:]

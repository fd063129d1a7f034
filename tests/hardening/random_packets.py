"""Packets any host may send, with every field that a NAT has no business with chosen at random."""

import random
from collections.abc import Callable
from ipaddress import IPv4Address

from support.packets import (
    ACK,
    ECHO,
    ECHO_REPLY,
    HEADER,
    ICMP,
    SYN,
    TCP,
    TIMESTAMP,
    TIMESTAMP_REPLY,
    UDP,
    checksum,
    put,
    query,
    udp,
    word,
)

from hardening.ends import CLIENT, SERVER
from hardening.segments import segment
from nfmasq.lab.topology import EXTERNAL

Endpoint = tuple[IPv4Address, int]
IP_OPTIONS = [b"", b"", b"", bytes([1, 1, 1, 0]), bytes([0x94, 4, 0, 0]), bytes([1] * 40)]
TCP_OPTIONS = [
    b"\1",
    bytes([2, 4, 5, 180]),
    bytes([3, 3, 9]),
    bytes([4, 2]),
    bytes([8, 10]) + bytes(range(8)),
]
EVEN_ODDER = (0, 1, 2, 3, 7, 8, 64, 511, 512, 1300, 1401)


class RandomPackets:
    """A flow: its first packet, and the answer to it once the external port is known."""

    def __init__(self, chance: random.Random, port: int) -> None:
        self._chance = chance
        self._near = (CLIENT, port)
        self._far = (SERVER, chance.randint(1, 65535))
        self._protocol = chance.choice([TCP, UDP, ICMP])
        self._kinds = chance.choice([(ECHO, ECHO_REPLY), (TIMESTAMP, TIMESTAMP_REPLY)])
        self._first = chance.randrange(1 << 32)

    def first(self) -> bytes:
        """What the client sends."""
        return self._dressed(self._make(self._near, self._far, answer=False))

    def answer(self, external: int) -> bytes:
        """What the server answers."""
        return self._dressed(self._make(self._far, (EXTERNAL, external), answer=True))

    def _make(self, source: Endpoint, destination: Endpoint, answer: bool) -> bytes:
        payload = self._chance.randbytes(self._chance.choice(EVEN_ODDER))
        make: dict[int, Callable[[], bytes]] = {
            UDP: lambda: udp(*source, *destination, payload, without_sum=self._chance.random() < 0.2),
            TCP: lambda: self._segment(source, destination, answer),
            ICMP: lambda: query(
                source[0],
                destination[0],
                destination[1] if answer else source[1],
                self._kinds[answer],
                payload,
            ),
        }
        return make[self._protocol]()

    def _segment(self, source: Endpoint, destination: Endpoint, answer: bool) -> bytes:
        options = b"".join(self._chance.sample(TCP_OPTIONS, self._chance.randint(0, 5)))
        return segment(
            *source, *destination,
            SYN | (ACK if answer else 0) | self._chance.choice([0, 0x40, 0xC0]),
            sequence=self._chance.randrange(1 << 32) if answer else self._first,
            acknowledged=self._first + 1 if answer else 0,
            window=self._chance.randrange(65536),
            options=options + bytes(-len(options) % 4),
            urgent=self._chance.choice([0, 0, 77]),
        )  # fmt: skip

    def _dressed(self, packet: bytes) -> bytes:
        """The packet with another service byte, identification, lifetime, flags and options."""
        options = self._chance.choice(IP_OPTIONS)
        header = bytes([0x45 + len(options) // 4, self._chance.randrange(256)])
        header += word(len(packet) + len(options)) + word(self._chance.randrange(65536))
        header += word(self._chance.choice([0, 0x4000]))
        header += bytes([self._chance.randint(2, 255), packet[9]]) + b"\0\0" + packet[12:HEADER] + options
        return put(header, 10, word(checksum(header))) + packet[HEADER:]

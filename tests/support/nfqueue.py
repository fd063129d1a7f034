"""A netfilter queue spoken to in plain netlink, so that the kernel's behaviour shows undisguised.

What is stored: one socket and what the kernel was told about the queue. Nothing of the compiled core is used:
a test here must stay right when the core is wrong. Constants are those of linux/netfilter/nfnetlink_queue.h.
"""

import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from nfmasq.lab.namespace import Namespace

DROP, ACCEPT, QUEUE_TO = 0, 1, 3
F_FAIL_OPEN, F_GSO = 1 << 0, 1 << 2
SKB_CSUM_NOT_READY, SKB_GSO, SKB_CSUM_NOT_VERIFIED = 1, 2, 4
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)

_NETLINK_NETFILTER = 12
_MSG_PACKET, _MSG_VERDICT, _MSG_CONFIG, _MSG_VERDICT_BATCH = 0x300, 0x301, 0x302, 0x303
_REQUEST, _ACK = 1, 4
_ERROR = 2
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_BIND = 1
_COPY_PACKET = 2
_A_HEADER, _A_VERDICT, _A_MARK, _A_IN, _A_OUT, _A_PAYLOAD, _A_CAP_LEN, _A_SKB_INFO = 1, 2, 3, 5, 6, 10, 13, 14


@dataclass(frozen=True)
class Packet:
    """One packet as the kernel showed it. skb_info: the SKB_ bits; cap_len: its true length if cut short."""

    id: int
    hook: int
    payload: bytes
    skb_info: int = 0
    cap_len: int | None = None
    attributes: dict[int, bytes] = field(default_factory=dict)

    @property
    def mark(self) -> int:
        """The packet's mark; the kernel leaves it out when it is 0."""
        return int.from_bytes(self.attributes.get(_A_MARK, b""))


def attribute(kind: int, value: bytes) -> bytes:
    """One netlink attribute, padded to four bytes."""
    return struct.pack("HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind: int, queue: int, body: bytes, flags: int = _REQUEST, sequence: int = 0) -> bytes:
    """One whole nfnetlink message for a queue."""
    head = struct.pack("=IHHII", 20 + len(body), kind, flags, sequence, 0)
    return head + struct.pack("!BBH", 0, 0, queue) + body


def verdict(
    queue: int,
    packet_id: int,
    decision: int,
    payload: bytes | None = None,
    *,
    mark: int | None = None,
    ack: bool = False,
) -> bytes:
    """The message that answers one packet, with the bytes to send in place of it and its mark, if given."""
    body = attribute(_A_VERDICT, struct.pack("!II", decision, packet_id))
    if mark is not None:
        body += attribute(_A_MARK, struct.pack("!I", mark))
    if payload is not None:
        body += attribute(_A_PAYLOAD, payload)
    return message(_MSG_VERDICT, queue, body, _REQUEST | (_ACK if ack else 0))


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages in one datagram from the kernel: (type, body after the netlink header)."""
    at = 0
    while at + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, at)
        if length < 16:
            return
        yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes in a message's body, by type."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def parse(body: bytes) -> Packet:
    """A packet message's body as a Packet."""
    found = attributes(body[4:])
    packet_id, _protocol, hook = struct.unpack_from("!IHB", found[_A_HEADER])
    number = {
        kind: struct.unpack("!I", found[kind])[0] for kind in (_A_CAP_LEN, _A_SKB_INFO) if kind in found
    }
    return Packet(
        packet_id, hook, found.get(_A_PAYLOAD, b""), number.get(_A_SKB_INFO, 0), number.get(_A_CAP_LEN), found
    )


class KernelQueue:
    """A queue in `namespace`, not yet bound: bind(), set_params() and the rest as the test wants them.

    Errors of the kernel come as OSError with its errno.
    """

    def __init__(self, namespace: Namespace, number: int) -> None:
        self.namespace = namespace
        self.number = number
        self.socket: socket.socket = namespace.call(
            socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER
        )
        self.socket.bind((0, 0))
        self.socket.settimeout(5)
        self.waiting: list[Packet] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; the kernel destroys the queue."""
        self.socket.close()

    def open(self, copy: int = 65535, flags: int = 0, length: int = 1024) -> Self:
        """Bind and set up in the order the daemon does."""
        self.bind()
        self.set_params(copy)
        self.configure(attribute(_CFG_MAXLEN, struct.pack("!I", length)))
        if flags:
            self.set_flags(flags)
        return self

    def configure(self, body: bytes) -> None:
        """Send one configuration message and wait for the kernel's answer."""
        self.socket.send(message(_MSG_CONFIG, self.number, body, _REQUEST | _ACK))
        self.answer()

    def answer(self) -> None:
        """Wait for one acknowledgement, keeping packets that come before it. Raises OSError for an error."""
        while True:
            for kind, body in messages(self.socket.recv(1 << 20)):
                if kind == _MSG_PACKET:
                    self.waiting.append(parse(body))
                elif kind == _ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    return

    def bind(self) -> None:
        """Take the queue."""
        self.configure(attribute(_CFG_CMD, struct.pack("!BBH", _BIND, 0, socket.AF_INET)))

    def set_params(self, copy: int) -> None:
        """Ask for up to `copy` bytes of each packet."""
        self.configure(attribute(_CFG_PARAMS, struct.pack("!IB", copy, _COPY_PACKET)))

    def set_flags(self, flags: int) -> None:
        """Switch the queue's F_ flags on."""
        bits = struct.pack("!I", flags)
        self.configure(attribute(_CFG_MASK, bits) + attribute(_CFG_FLAGS, bits))

    def receive(self, timeout: float = 5) -> Packet | None:
        """The next packet, or None when none comes in `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self.waiting:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 20)
            except TimeoutError:
                return None
            finally:
                self.socket.settimeout(5)
            self.waiting += [parse(body) for kind, body in messages(data) if kind == _MSG_PACKET]
        return self.waiting.pop(0)

    def decide(
        self, packet: Packet | int, decision: int, payload: bytes | None = None, mark: int | None = None
    ) -> None:
        """Answer one packet and wait for the kernel to take it."""
        packet_id = packet if isinstance(packet, int) else packet.id
        self.socket.send(verdict(self.number, packet_id, decision, payload, mark=mark, ack=True))
        self.answer()


def statistics(namespace: Namespace, number: int) -> dict[str, int] | None:
    """The kernel's line in /proc about one queue, or None if there is no such queue."""

    def read() -> str:
        with open("/proc/thread-self/net/netfilter/nfnetlink_queue", encoding="ascii") as file:
            return file.read()

    names = ("queue", "owner", "waiting", "mode", "range", "dropped", "lost", "next_id")
    for line in namespace.call(read).splitlines():
        values = dict(zip(names, map(int, line.split()), strict=False))
        if values["queue"] == number:
            return values
    return None

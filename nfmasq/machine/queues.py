"""Netfilter queues as the kernel shows them.

Nothing is stored. Every reading is made anew from /proc, in the network namespace of the thread that asks.
"""

import os
import socket
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

KERNEL_QUEUES = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")

_NETLINK_NETFILTER = 12
_QUEUE_CONFIG = 0x302
_REQUEST_ACK = 5
_CFG_CMD, _BIND = 1, 1
_HIGHEST_QUEUE = 65535


class KernelQueue(NamedTuple):
    """The kernel's view of one queue.

    holder: the netlink port bound to it, most often a pid; waiting: packets without a verdict;
    dropped: because the queue was full; dropped_at_socket: because the socket's buffer was.
    """

    holder: int
    waiting: int
    dropped: int
    dropped_at_socket: int


def kernel_queues() -> dict[int, KernelQueue]:
    """The bound queues of this network namespace, by number.

    Raises FileNotFoundError when the kernel has no netfilter queues (or their module is not loaded).
    """
    queues = {}
    for line in KERNEL_QUEUES.read_text(encoding="ascii").splitlines():
        columns = [int(word) for word in line.split()]
        queues[columns[0]] = KernelQueue(columns[1], columns[2], columns[5], columns[6])
    return queues


def shown_queues() -> dict[int, KernelQueue]:
    """The same; empty where the kernel shows none, or does not show them to this process."""
    try:
        return kernel_queues()
    except OSError:
        return {}


def together(kernel: Mapping[int, KernelQueue], numbers: Iterable[int]) -> KernelQueue:
    """What the kernel says of these queues as one; zeros for those it does not show."""
    shown = [kernel[number] for number in numbers if number in kernel]
    return KernelQueue(
        shown[0].holder if shown else 0,
        sum(queue.waiting for queue in shown),
        sum(queue.dropped for queue in shown),
        sum(queue.dropped_at_socket for queue in shown),
    )


def command_line(port: int) -> list[str]:
    """The first words of the program a netlink port belongs to; none when that cannot be told."""
    try:
        words = Path(f"/proc/{port}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [word.decode(errors="replace") for word in words[:4] if word]


def bind_a_queue() -> int:
    """Bind a queue that no program has, let it go, return its number. Raises OSError: the kernel's answer."""
    bound = shown_queues()
    number = next(number for number in range(_HIGHEST_QUEUE, -1, -1) if number not in bound)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(5)
        netlink.bind((0, 0))
        command = struct.pack("=HH", 8, _CFG_CMD) + struct.pack("!BBH", _BIND, 0, socket.AF_INET)
        body = struct.pack("!BBH", 0, 0, number) + command
        netlink.send(struct.pack("=IHHII", 16 + len(body), _QUEUE_CONFIG, _REQUEST_ACK, 1, 0) + body)
        answer = netlink.recv(4096)
    code = -struct.unpack_from("=i", answer, 16)[0]
    if code:
        raise OSError(code, os.strerror(code))
    return number

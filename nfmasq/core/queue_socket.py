"""How queues are bound to a netlink socket and set up; all that follows on it is the core's."""

import socket
import struct
from collections.abc import Sequence

RECEIVE_BUFFER = 32 << 20
"""Bytes the kernel may have waiting for a worker."""
QUEUE_LENGTH = 8192
"""Packets that may wait in a queue."""
QUEUES_EACH = 16
"""Queues of one worker. The kernel picks one by protocol and the two addresses, and drops what comes to one
that is full: a flood between two addresses takes the room of its queue, and of those alone who share it."""
QUEUES_BESIDES = 2
"""Queues after those of the workers: for super-packets that the kernel cuts up, and for untaken packets."""
SEND_BUFFER = 8 << 20
"""Bounds one send of verdicts."""
RECEIVE_WAIT_US = 250_000
"""How long a worker waits before it looks whether it should stop."""
COPY_RANGE = 0xFFFF
"""Bytes of each packet to be handed up: all."""

# From linux/socket.h, linux/netlink.h and linux/netfilter/nfnetlink_queue.h; Python's socket lacks them.
SO_SNDBUFFORCE = 32
NETLINK_NETFILTER = 12
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NLM_F_REQUEST = 1
NLM_F_ACK = 4
NFNL_SUBSYS_QUEUE = 3
NFQNL_MSG_CONFIG = 2
NFQNL_COPY_PACKET = 2
NFQNL_CFG_CMD_BIND = 1
NFQA_CFG_CMD = 1
NFQA_CFG_PARAMS = 2
NFQA_CFG_QUEUE_MAXLEN = 3
NFQA_CFG_MASK = 4
NFQA_CFG_FLAGS = 5
NFQA_CFG_F_GSO = 4

_HEADER = 16
_ANSWER = 4096
_BIND = struct.pack(">BxH", NFQNL_CFG_CMD_BIND, 0)


def _attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def bind(fd: int, numbers: Sequence[int]) -> None:
    """Bind queues to the socket; none of them hands anything up before it is prepared.

    Raises OSError with the kernel's answer, which is EPERM for a queue that is taken too.
    """
    with socket.fromfd(fd, socket.AF_NETLINK, socket.SOCK_RAW) as handle:
        for number in numbers:
            handle.send(_message(number, NLM_F_ACK, _attribute(NFQA_CFG_CMD, _BIND)))
            (code,) = struct.unpack_from("=i", handle.recv(_ANSWER), _HEADER)
            if code:
                raise OSError(-code, f"Failed to create queue {number}.")


def prepare(fd: int, numbers: Sequence[int], length: int, gso: bool) -> None:
    """Set up bound queues and their socket: packets whole, room to send, a limit to the wait.

    NetfilterQueue's own bind asks for the first 4016 bytes of each packet and no more.
    """
    settings = _attribute(NFQA_CFG_PARAMS, struct.pack(">IB", COPY_RANGE, NFQNL_COPY_PACKET))
    settings += _attribute(NFQA_CFG_QUEUE_MAXLEN, struct.pack(">I", length))
    settings += _attribute(NFQA_CFG_MASK, struct.pack(">I", NFQA_CFG_F_GSO))
    settings += _attribute(NFQA_CFG_FLAGS, struct.pack(">I", NFQA_CFG_F_GSO if gso else 0))
    with socket.fromfd(fd, socket.AF_NETLINK, socket.SOCK_RAW) as handle:
        handle.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, RECEIVE_WAIT_US))
        handle.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        for number in numbers:
            handle.send(_message(number, 0, settings))


def conntrack_socket() -> socket.socket | None:
    """A socket to ask connection tracking by, of this network namespace; None without the permission."""
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    except OSError:
        return None


def _message(number: int, flags: int, settings: bytes) -> bytes:
    """A message that configures one queue."""
    body = struct.pack(">BBH", 0, 0, number) + settings
    kind = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG
    return struct.pack("=IHHII", _HEADER + len(body), kind, NLM_F_REQUEST | flags, 0, 0) + body

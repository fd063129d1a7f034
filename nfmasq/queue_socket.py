"""How a netfilter queue's socket is set up, once it is bound; all that follows on it is the core's."""

import socket
import struct

RECEIVE_BUFFER = 32 << 20
"""Bytes the kernel may have waiting for a worker."""
SEND_BUFFER = 8 << 20
"""Bounds one send of verdicts."""
RECEIVE_WAIT_US = 250_000
"""How long a worker waits before it looks whether it should stop."""
COPY_RANGE = 0xFFFF
"""Bytes of each packet to be handed up: all."""

# From linux/socket.h, linux/netlink.h and linux/netfilter/nfnetlink_queue.h; Python's socket lacks them.
SO_SNDBUFFORCE = 32
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NLM_F_REQUEST = 1
NFNL_SUBSYS_QUEUE = 3
NFQNL_MSG_CONFIG = 2
NFQNL_COPY_PACKET = 2
NFQA_CFG_PARAMS = 2
NFQA_CFG_MASK = 4
NFQA_CFG_FLAGS = 5
NFQA_CFG_F_GSO = 4


def _attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def prepare(fd: int, number: int, gso: bool) -> None:
    """Set up a bound queue and its socket: packets whole, room to send, a limit to the wait.

    NetfilterQueue's own bind asks for the first 4016 bytes of each packet and no more.
    """
    settings = struct.pack(">BBH", 0, 0, number)
    settings += _attribute(NFQA_CFG_PARAMS, struct.pack(">IB", COPY_RANGE, NFQNL_COPY_PACKET))
    settings += _attribute(NFQA_CFG_MASK, struct.pack(">I", NFQA_CFG_F_GSO))
    settings += _attribute(NFQA_CFG_FLAGS, struct.pack(">I", NFQA_CFG_F_GSO if gso else 0))
    kind = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG
    with socket.fromfd(fd, socket.AF_NETLINK, socket.SOCK_RAW) as handle:
        handle.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, RECEIVE_WAIT_US))
        handle.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
        handle.send(struct.pack("=IHHII", 16 + len(settings), kind, NLM_F_REQUEST, 0, 0) + settings)

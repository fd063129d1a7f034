"""Asks the kernel by netlink to do something, and waits for its answer. Nothing is stored."""

import os
import socket
import struct

from nfmasq.machine import rtnetlink

CREATE, EXCLUSIVE = 0x400, 0x200
"""Flags: make it; and fail where it is there (NLM_F_CREATE, NLM_F_EXCL)."""

NESTED = 0x8000
"""In an attribute's type: its content is attributes."""

_HEADER = struct.Struct("=IHHII")
_REQUEST, _ACK = 0x1, 0x4
_SECONDS = 5
_MOST = 1 << 16


def attribute(kind: int, content: bytes) -> bytes:
    """An attribute, padded as the next one wants it."""
    return struct.pack("=HH", 4 + len(content), kind) + content + bytes(-len(content) % 4)


def ask(kind: int, flags: int, body: bytes, protocol: int = socket.NETLINK_ROUTE) -> None:
    """Send one request. protocol: which netlink. Raises OSError with the kernel's answer."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as opened:
        opened.settimeout(_SECONDS)
        opened.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | _ACK | flags, 1, 0) + body)
        for message in rtnetlink.messages(opened.recv(_MOST)):
            if message.kind == rtnetlink.ERROR and (code := rtnetlink.error_of(message)):
                raise OSError(code, os.strerror(code))

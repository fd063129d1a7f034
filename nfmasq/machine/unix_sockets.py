"""Which user has a unix socket of an abstract name, in the network namespace of the thread that asks.

Nothing is stored. The kernel tells a socket's user by sock_diag(7), whatever its owner does: it may bind and
not listen, or let its queue fill up. The layouts are of linux/unix_diag.h.
"""

import socket
import struct
from collections.abc import Collection
from typing import NamedTuple

from nfmasq.machine.netlink_dump import NetlinkDump
from nfmasq.machine.rtnetlink import BadMessage, Message

_NETLINK_SOCK_DIAG, _BY_FAMILY = 4, 20
_REQUEST = struct.Struct("=BB2xIIIII")
_ALL_STATES = 0xFFFFFFFF
_SHOW_NAME, _SHOW_UID = 1, 1 << 6
_SOCKET = struct.Struct("=4xI8x")
"""unix_diag_msg: its inode."""
_ATTRIBUTE = struct.Struct("=HH")
_NAME, _UID = 0, 7


class Owner(NamedTuple):
    """uid: of whoever made the socket. inode: the socket's own, as /proc/<pid>/fd shows it."""

    uid: int
    inode: int


def owners(names: Collection[str]) -> dict[str, Owner] | None:
    """Who has which of these abstract names ("\\0…"); None: this kernel does not tell users (before 5.3).

    Raises OSError where the kernel has no unix_diag.
    """
    request = _REQUEST.pack(socket.AF_UNIX, 0, _ALL_STATES, 0, _SHOW_NAME | _SHOW_UID, 0, 0)
    dump = NetlinkDump(_NETLINK_SOCK_DIAG)
    try:
        there = dump.read(_BY_FAMILY, request, _BY_FAMILY, _named)
    finally:
        dump.close()
    wanted = {name.encode(): name for name in names}
    found = [(wanted[name], uid, inode) for name, uid, inode in there if name in wanted]
    if any(uid is None for _, uid, _ in found):
        return None
    return {name: Owner(uid, inode) for name, uid, inode in found if uid is not None}


def _named(message: Message) -> tuple[bytes, int | None, int] | None:
    """The name of one socket, its user and its inode; None without a name. Raises BadMessage."""
    data = message.data[message.start : message.end]
    name, uid = b"", None
    try:
        (inode,) = _SOCKET.unpack_from(data)
        position = _SOCKET.size
        while position < len(data):
            length, kind = _ATTRIBUTE.unpack_from(data, position)
            value = data[position + _ATTRIBUTE.size : position + length]
            if length < _ATTRIBUTE.size:
                raise BadMessage("an attribute is cut off")
            if kind == _NAME:
                name = bytes(value)
            elif kind == _UID:
                (uid,) = struct.unpack("=I", value)
            position += length + 3 & ~3
    except struct.error as error:
        raise BadMessage(str(error)) from None
    return (name, uid, inode) if name else None

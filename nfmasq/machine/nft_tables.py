"""Whether nft has a table, asked of the kernel without starting a program. Nothing is stored."""

import errno
import socket
import struct

from nfmasq.machine.netlink_request import ask, attribute

_NETLINK_NETFILTER = 12
_GET_TABLE = 10 << 8 | 1
_TABLE_NAME = 1
_GENERAL = struct.Struct("=BBH")
"""Family, version, resource (struct nfgenmsg of linux/netfilter/nfnetlink.h)."""


def is_there(name: str) -> bool:
    """Is there a table of this name, of the family ip? Raises OSError where that cannot be asked."""
    body = _GENERAL.pack(socket.AF_INET, 0, 0) + attribute(_TABLE_NAME, name.encode() + b"\0")
    try:
        ask(_GET_TABLE, 0, body, protocol=_NETLINK_NETFILTER)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return False
        raise
    return True

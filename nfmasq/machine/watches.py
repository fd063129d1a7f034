"""Doorbells: they ring when rules may have changed.

What is stored: a watch's netlink socket, from the making to `close()`. A watch tells in which tables
something happened, never what happened; its owner reads those tables again.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

# linux/netlink.h, linux/netfilter/nfnetlink.h: what Python's socket module does not name.
_NETLINK_NETFILTER = 12
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
_NFNLGRP_NFTABLES = 7
_NFNL_SUBSYS_NFTABLES = 10
_NFT_MSG_NEWGEN = 15
_HEADER = struct.Struct("=IHHIIB3x")
"""nlmsghdr, and the family of nfgenmsg."""
_ATTRIBUTE = struct.Struct("=HH")
_TABLE_NAME = 1
"""The number of the attribute with the table's name, in the messages of every kind but NEWGEN."""
_DATAGRAM = 1 << 16

FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
"""The families of tables, as nft names them."""


@dataclass(frozen=True)
class Touched:
    """The tables whose rules may have changed: "ip raw". every: whatever table there is."""

    tables: frozenset[str] = frozenset()
    every: bool = False

    def __bool__(self) -> bool:
        return self.every or bool(self.tables)

    def __or__(self, other: "Touched") -> "Touched":
        return Touched(self.tables | other.tables, self.every or other.every)

    def meets(self, tables: frozenset[str]) -> bool:
        """Whether one of these may have changed."""
        return self.every or not self.tables.isdisjoint(tables)

    def goes_beyond(self, tables: frozenset[str]) -> bool:
        """Whether a table that is none of these may have changed."""
        return self.every or not self.tables <= tables


NOTHING, EVERYTHING = Touched(), Touched(every=True)


class _Watch:
    """A netlink socket in some multicast groups. Raises OSError when the kernel does not have them."""

    def __init__(self, family: int, *groups: int) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, family)
        try:
            self._socket.bind((0, 0))
            for group in groups:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """For select, poll and event loops: readable when the bell rang."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stop watching."""
        with contextlib.suppress(OSError):
            self._socket.close()


class RulesWatch(_Watch):
    """Rings when anyone changes rules through nft or iptables-nft; legacy iptables rings no bell."""

    def __init__(self) -> None:
        super().__init__(_NETLINK_NETFILTER, _NFNLGRP_NFTABLES)

    def drain(self) -> Touched:
        """Silence the bell and say in which tables it rang: in every one if messages were lost."""
        touched = NOTHING
        while True:
            try:
                data, _, flags, _ = self._socket.recvmsg(_DATAGRAM)
            except BlockingIOError:
                return touched
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                touched = EVERYTHING
                continue
            if not touched.every:
                cut_off = bool(flags & socket.MSG_TRUNC)
                touched = EVERYTHING if cut_off else touched | touched_by(data)


def touched_by(data: bytes) -> Touched:
    """The tables that a datagram of nftables' events is about. In doubt: every one."""
    try:
        return Touched(frozenset(_tables(data)))
    except (struct.error, ValueError):
        return EVERYTHING


def _tables(data: bytes) -> Iterator[str]:
    """Raises struct.error or ValueError for what is no such datagram."""
    position = 0
    while position < len(data):
        length, kind, _, _, _, family = _HEADER.unpack_from(data, position)
        if length < _HEADER.size or position + length > len(data):
            raise ValueError("a message is cut off")
        if kind >> 8 == _NFNL_SUBSYS_NFTABLES and kind & 0xFF != _NFT_MSG_NEWGEN:
            name = _table_name(data[position + _HEADER.size : position + length])
            yield f"{FAMILIES.get(family, family)} {name}"
        position += length + 3 & ~3


def _table_name(attributes: bytes) -> str:
    position = 0
    while position < len(attributes):
        length, kind = _ATTRIBUTE.unpack_from(attributes, position)
        if length < _ATTRIBUTE.size:
            raise ValueError("an attribute is cut off")
        if kind == _TABLE_NAME:
            name = attributes[position + _ATTRIBUTE.size : position + length]
            return name.rstrip(b"\0").decode(errors="surrogateescape")
        position += length + 3 & ~3
    raise ValueError("a message names no table")

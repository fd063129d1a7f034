"""Doorbells: they ring when rules, tunnels or IPsec states may have changed.

What is stored: a watch's netlink socket, from the making to `close()`. A watch tells where something
happened, never what happened; its owner reads again.
"""

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from nfmasq.machine.netlink_dump import NETLINK_ROUTE
from nfmasq.machine.own import NETLINK_XFRM, is_about_tunnel
from nfmasq.machine.rtnetlink import DELLINK, NEWLINK, BadMessage, messages

# linux/netlink.h, linux/rtnetlink.h, linux/xfrm.h, linux/netfilter/nfnetlink.h: what Python's socket module
# does not name.
_NETLINK_NETFILTER = 12
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
_NFNLGRP_NFTABLES = 7
_RTNLGRP_LINK = 1
_XFRMNLGRP_EXPIRE, _XFRMNLGRP_SA, _XFRMNLGRP_MIGRATE = 2, 3, 7
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

    def _events(self) -> Iterator[bytes | None]:
        """The datagrams that wait; None for lost or cut off ones."""
        while True:
            try:
                data, _, flags, _ = self._socket.recvmsg(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield None
            else:
                yield None if flags & socket.MSG_TRUNC else data


class RulesWatch(_Watch):
    """Rings when anyone changes rules through nft or iptables-nft; legacy iptables rings no bell."""

    def __init__(self) -> None:
        super().__init__(_NETLINK_NETFILTER, _NFNLGRP_NFTABLES)

    def drain(self) -> Touched:
        """Silence the bell and say in which tables it rang: in every one if messages were lost."""
        touched = NOTHING
        for data in self._events():
            if not touched.every:
                touched = EVERYTHING if data is None else touched | touched_by(data)
        return touched


class TunnelsWatch(_Watch):
    """Rings when a tunnel's interface comes, changes or goes; other interfaces ring no bell."""

    def __init__(self) -> None:
        super().__init__(NETLINK_ROUTE, _RTNLGRP_LINK)

    def rang(self) -> bool:
        """Silence the bell and say whether it rang: yes if messages were lost."""
        return True in [data is None or _tells_of_tunnels(data) for data in self._events()]


class StatesWatch(_Watch):
    """Rings when an IPsec state comes, changes, expires or goes."""

    def __init__(self) -> None:
        super().__init__(NETLINK_XFRM, _XFRMNLGRP_EXPIRE, _XFRMNLGRP_SA, _XFRMNLGRP_MIGRATE)

    def rang(self) -> bool:
        """Silence the bell and say whether it rang."""
        return bool(list(self._events()))


def _tells_of_tunnels(data: bytes) -> bool:
    """Whether a datagram of links' events is about a tunnel. In doubt: yes."""
    try:
        return any(
            is_about_tunnel(message) for message in messages(data) if message.kind in {NEWLINK, DELLINK}
        )
    except BadMessage:
        return True


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

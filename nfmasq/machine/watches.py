"""Doorbells: they ring when interfaces, routes or rules may have changed.

What is stored: a watch's netlink socket, from the making to `close()`. A watch tells that something happened,
never what happened; its owner reads everything again.
"""

import contextlib
import errno
import socket
from typing import Self

# linux/netlink.h, linux/rtnetlink.h, linux/netfilter/nfnetlink.h: what Python's socket module does not name.
_NETLINK_ROUTE, _NETLINK_NETFILTER = 0, 12
_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP = 270, 1
_RTNLGRP_LINK, _RTNLGRP_IPV4_IFADDR, _RTNLGRP_IPV4_ROUTE = 1, 5, 7
_NFNLGRP_NFTABLES = 7


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

    def drain(self) -> bool:
        """Silence the bell; True if it had rung. Messages lost to overflow are a ring like any other."""
        rang = False
        while True:
            try:
                self._socket.recv(1 << 16)
            except BlockingIOError:
                return rang
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
            rang = True

    def close(self) -> None:
        """Stop watching."""
        with contextlib.suppress(OSError):
            self._socket.close()


class LinkWatch(_Watch):
    """Rings when a link, an IPv4 address or an IPv4 route changes in this network namespace."""

    def __init__(self) -> None:
        super().__init__(_NETLINK_ROUTE, _RTNLGRP_LINK, _RTNLGRP_IPV4_IFADDR, _RTNLGRP_IPV4_ROUTE)


class RulesWatch(_Watch):
    """Rings when anyone changes rules through nft or iptables-nft; legacy iptables rings no bell."""

    def __init__(self) -> None:
        super().__init__(_NETLINK_NETFILTER, _NFNLGRP_NFTABLES)

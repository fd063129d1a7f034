"""Binds the program to the tc egress of interfaces, by rtnetlink (linux/rtnetlink.h, linux/pkt_cls.h).

Nothing is stored here: the kernel is asked each time. The program is one `bpf` filter in the interface's
clsact. The filter has a name and a handle of ours, and so is told from those of others. The clsact and
filters of other programs stay. Every function raises OSError with the kernel's answer.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from nfmasq.machine import rtnetlink
from nfmasq.machine.netlink_dump import NetlinkDump
from nfmasq.machine.netlink_request import CREATE, EXCLUSIVE, NESTED, ask, attribute
from nfmasq.machine.rtnetlink import Message

NAME = "nfmasq_egress"

_HANDLE = 0x6E666D71
_PRIORITIES = range(1, 9)
"""The first that no other kind of filter has. Of several filters the first decides."""

_NEWQDISC, _DELQDISC = 36, 37
_NEWTFILTER, _DELTFILTER, _GETTFILTER = 44, 45, 46
_CLSACT, _CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
_INGRESS, _EGRESS = 0xFFFFFFF2, 0xFFFFFFF3
_ALL_PROTOCOLS = socket.htons(3)
_TCA_KIND, _TCA_OPTIONS = 1, 2
_BPF_FD, _BPF_NAME, _BPF_FLAGS, _ACT_DIRECT = 6, 7, 8, 1

_TC = struct.Struct("=BxHiIII")


class Filter(NamedTuple):
    """A filter of an interface: its priority and protocol as tcm_info has them, and whether it is ours."""

    info: int
    ours: bool


def attach(interface: int, program: int) -> None:
    """Bind a program to the egress of an interface, in one step in place of one of ours."""
    with suppress(FileExistsError):
        kind = attribute(_TCA_KIND, b"clsact\0")
        ask(_NEWQDISC, CREATE | EXCLUSIVE, _TC.pack(0, 0, interface, _CLSACT_HANDLE, _CLSACT, 0) + kind)
    options = (
        attribute(_BPF_FD, struct.pack("=I", program))
        + attribute(_BPF_NAME, NAME.encode() + b"\0")
        + attribute(_BPF_FLAGS, struct.pack("=I", _ACT_DIRECT))
    )
    body = attribute(_TCA_KIND, b"bpf\0") + attribute(_TCA_OPTIONS | NESTED, options)
    own = [each.info for each in _filters(interface, _EGRESS) if each.ours]
    infos = own or [priority << 16 | _ALL_PROTOCOLS for priority in _PRIORITIES]
    for info in infos:
        try:
            ask(_NEWTFILTER, CREATE, _TC.pack(0, 0, interface, _HANDLE, _EGRESS, info) + body)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EEXIST) or info == infos[-1]:
                raise
        else:
            return


def attached(interface: int) -> bool:
    """Has the interface a filter of ours?"""
    return any(each.ours for each in _filters(interface, _EGRESS))


def detach(interface: int) -> None:
    """Take our filters off an interface, and the clsact that no other filter is in. Harmless without any."""
    found = list(_filters(interface, _EGRESS))
    for each in found:
        if each.ours:
            kind = attribute(_TCA_KIND, b"bpf\0")
            ask(_DELTFILTER, 0, _TC.pack(0, 0, interface, _HANDLE, _EGRESS, each.info) + kind)
    if any(each.ours for each in found) and not any(
        True for parent in (_INGRESS, _EGRESS) for _ in _filters(interface, parent)
    ):
        with suppress(FileNotFoundError):
            kind = attribute(_TCA_KIND, b"clsact\0")
            ask(_DELQDISC, 0, _TC.pack(0, 0, interface, _CLSACT_HANDLE, _CLSACT, 0) + kind)


def interfaces() -> list[int]:
    """The indices of all interfaces."""
    return [index for index, _ in socket.if_nameindex()]


def _filters(interface: int, parent: int) -> Iterator[Filter]:
    dump = NetlinkDump()
    try:
        found = dump.read(_GETTFILTER, _TC.pack(0, 0, interface, 0, parent, 0), _NEWTFILTER, _read_filter)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
            raise
        found = []
    finally:
        dump.close()
    yield from found


def _read_filter(message: Message) -> Filter | None:
    _, _, _, handle, _, info = rtnetlink.fixed(_TC, message)
    attributes = dict(rtnetlink.attributes_in(message, _TC.size))
    if not handle:
        return None  # the kernel tells the chain's head besides its filters
    said = attributes.get(_TCA_OPTIONS, b"")
    options = dict(rtnetlink.split(said, 0, len(said)))
    ours = handle == _HANDLE and options.get(_BPF_NAME, b"").rstrip(b"\0") == NAME.encode()
    return Filter(info, ours)

"""One request to the kernel, and its answer."""

import socket
import struct

import pytest
from support.path import Path
from support.paths import path

from nfmasq.machine.netlink_request import ask, attribute
from nfmasq.machine.rtnetlink import NEWLINK

__all__ = ["path"]

_NAME = 3
_LINK = struct.Struct("=BxHiII")


def test_an_attribute_is_padded_and_its_length_is_not() -> None:
    assert attribute(1, b"abcde") == struct.pack("=HH", 9, 1) + b"abcde\0\0\0"
    assert attribute(2, b"") == struct.pack("=HH", 4, 2)


@pytest.mark.root
def test_the_kernel_does_it_or_says_why_not(path: Path) -> None:
    index = path.router.call(socket.if_nametoindex, "lan0")
    named = attribute(_NAME, b"other0\0")
    path.router.call(ask, NEWLINK, 0, _LINK.pack(0, 0, index, 0, 0) + named)
    assert path.router.call(socket.if_nametoindex, "other0") == index
    with pytest.raises(OSError, match="No such device"):
        path.router.call(ask, NEWLINK, 0, _LINK.pack(0, 0, 9999, 0, 0) + named)

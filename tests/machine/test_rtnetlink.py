"""Messages are read as the kernel writes them, and damaged ones are refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfmasq.machine.rtnetlink import (
    NEWADDR,
    NEWLINK,
    NEWNEXTHOP,
    NEWROUTE,
    BadMessage,
    Hop,
    Message,
    RouteReader,
    error_of,
    messages,
    read_address,
    read_link,
    read_nexthop,
)


def _attribute(kind: int, value: bytes) -> bytes:
    return (struct.pack("=HH", 4 + len(value), kind) + value).ljust((4 + len(value) + 3) & ~3, b"\0")


def _u32(value: int) -> bytes:
    return struct.pack("=I", value)


def _datagram(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def _route(network: bytes, *attributes: bytes, length: int = 24, kind: int = 1) -> bytes:
    fixed = struct.pack("=BBBBBBBBI", 2, length, 0, 0, 254, 3, 0, kind, 0)
    return _datagram(
        NEWROUTE, fixed + _attribute(15, _u32(254)) + _attribute(1, network) + b"".join(attributes)
    )


GATEWAY, DEVICE = _attribute(5, bytes([203, 0, 113, 1])), _attribute(4, _u32(3))
HOP = struct.pack("=HBBi", 16, 0, 2, 7) + _attribute(5, bytes([10, 0, 0, 9]))
NEIGHBOURS = (
    _route(bytes([10, 1, 2, 0]), GATEWAY, DEVICE),
    _route(bytes([10, 1, 2, 0]), _attribute(9, HOP + HOP)),
    _route(bytes([10, 1, 2, 0]), _attribute(30, _u32(5)), _attribute(8, _attribute(2, _u32(1400)))),
    _datagram(
        NEWLINK,
        struct.pack("=BxHiII", 0, 1, 4, 0x1043, 0) + _attribute(3, b"wan0\0") + _attribute(4, _u32(1492)),
    ),
    _datagram(
        NEWADDR, struct.pack("=BBBBI", 2, 24, 0, 0, 4) + _attribute(1, bytes(4)) + _attribute(2, bytes(4))
    ),
    _datagram(
        NEWNEXTHOP, struct.pack("=BBBBI", 2, 0, 0, 0, 0) + _attribute(1, _u32(5)) + _attribute(5, _u32(3))
    ),
    _datagram(
        NEWNEXTHOP,
        struct.pack("=BBBBI", 2, 0, 0, 0, 0)
        + _attribute(1, _u32(7))
        + _attribute(2, struct.pack("=IBBH", 5, 0, 0, 0)),
    ),
)


def _only(data: bytes) -> Message:
    (message,) = messages(data)
    return message


def _read_all(data: bytes) -> None:
    reader = RouteReader()
    for message in messages(data):
        for read in (reader.read, read_link, read_address, read_nexthop, error_of):
            read(message)


def test_routes_that_differ_in_their_network_alone_have_one_way() -> None:
    reader = RouteReader()
    one = reader.read(_only(_route(bytes([10, 1, 2, 0]), GATEWAY, DEVICE)))
    other = reader.read(_only(_route(bytes([10, 1, 3, 0]), GATEWAY, DEVICE)))
    third = reader.read(_only(_route(bytes([10, 0, 0, 0]), GATEWAY, DEVICE, length=8)))
    assert one is not None
    assert other is not None
    assert third is not None
    assert (one[0], other[0], third[0]) == (0x0A010200 << 6 | 24, 0x0A010300 << 6 | 24, 0x0A000000 << 6 | 8)
    assert one[1] is other[1] is third[1]
    assert one[1].hops == (Hop(3, 0xCB007101),)


def test_the_hops_of_a_multipath_route_are_all_read() -> None:
    read = RouteReader().read(_only(NEIGHBOURS[1]))
    assert read is not None
    assert read[1].hops == (Hop(7, 0x0A000009, 2),) * 2


def test_a_bridge_ports_view_is_no_link() -> None:
    bridge = struct.pack("=BxHiII", 7, 1, 4, 0x1043, 0) + _attribute(3, b"wan0\0") + _attribute(4, _u32(1492))
    assert read_link(_only(_datagram(NEWLINK, bridge))) is None


def test_an_event_without_a_name_keeps_the_known_one() -> None:
    known = read_link(_only(NEIGHBOURS[3]))
    short = struct.pack("=BxHiII", 0, 1, 4, 0, 0)
    link = read_link(_only(_datagram(NEWLINK, short)), known)
    assert link is not None
    assert (link.name, link.mtu, link.up) == ("wan0", 1492, False)


@given(st.sampled_from(NEIGHBOURS), st.data())
def test_a_damaged_message_is_refused_or_read_and_never_anything_else(
    whole: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    try:
        _read_all(cut)
    except BadMessage:
        return


@pytest.mark.parametrize("whole", NEIGHBOURS)
def test_a_message_that_is_cut_off_is_refused(whole: bytes) -> None:
    with pytest.raises(BadMessage):
        list(messages(whole[:-4]))


@pytest.mark.parametrize("whole", NEIGHBOURS[:3])
def test_a_route_whose_last_attribute_is_cut_off_is_refused(whole: bytes) -> None:
    short = struct.pack("=I", len(whole) - 4) + whole[4:-4]
    with pytest.raises(BadMessage):
        RouteReader().read(_only(short))

"""The addresses in SNMP's values, of real captures and of hosts that mean harm."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.router import CLIENT, OTHER_CLIENT, SERVER

from helpers.protocols.ends import Ends, bed_of
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.snmp import Snmp

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "snmp" / "captures"
AGENT = IPv4Address("192.168.77.10")
OID = b"\x06\x06\x2b\x06\x01\x04\x01\x01"


def value(tag: int, contents: bytes, *, long: int = 0) -> bytes:
    """A value of BER. long: so many bytes for its length."""
    length = len(contents)
    head = bytes([length]) if length < 128 and not long else b""
    if not head:
        size = long or 2
        head = bytes([0x80 | size]) + length.to_bytes(size)
    return bytes([tag]) + head + contents


def address(written: IPv4Address) -> bytes:
    """A value IpAddress."""
    return value(0x40, written.packed)


def message(*values: bytes, version: int = 1, kind: int = 0xA2, long: int = 0) -> bytes:
    """A response, or another message, with these values."""
    bindings = b"".join(value(0x30, OID + each) for each in values)
    pdu = value(kind, b"\x02\x01\x01" * 3 + value(0x30, bindings, long=long), long=long)
    return value(0x30, bytes([2, 1, version]) + b"\x04\x06public" + pdu, long=long)


def trap(agent: IPv4Address, *values: bytes) -> bytes:
    """A trap of version 1."""
    bindings = value(0x30, b"".join(value(0x30, OID + each) for each in values))
    pdu = OID + address(agent) + b"\x02\x01\x06\x02\x01\x11\x43\x01\x01" + bindings
    return value(0x30, b"\x02\x01\x00\x04\x06public" + value(0xA4, pdu))


def test_a_real_agent_inside_names_its_own_address_in_answers_and_traps() -> None:
    read = heard(Snmp(), CAPTURES / "rec-inside-agent.pcap", None, server_inside=True)
    own = [frame for frame, _, written, _ in read.places if written == str(AGENT)]
    assert {4, 20, 22, 24} <= set(own)
    traps = heard(Snmp(), CAPTURES / "rec-inside-agent.pcap", AGENT, server_inside=False)
    sent = [frame for frame, kind, written, _ in traps.places if (kind, written) == ("Named", str(AGENT))]
    assert sent == [31, 31, 32, 33]


@pytest.mark.parametrize(
    "name",
    [
        "tcpdump-malformed-1.pcap",
        "tcpdump-malformed-2.pcap",
        "zeek-crash.pcap",
        "zeek-oid-too-long.pcap",
        "zeek-v2-getnext.pcap",
        "zeek-v3-getnext.pcap",
    ],
)
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    for server_inside in (False, True):
        read = heard(Snmp(), CAPTURES / name, None, server_inside=server_inside)
        assert (read.places, read.left_alone, read.left) == ([], [], 0)


@pytest.mark.parametrize(("name", "frames"), [("ndpi-snmp.pcap", [55, 56]), ("zeek-v1-trap.pcap", [1])])
def test_the_agent_of_a_real_trap(name: str, frames: list[int]) -> None:
    read = heard(Snmp(), CAPTURES / name, None, server_inside=False)
    assert [frame for frame, *_ in read.places] == frames


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("long", [0, 1, 2, 4])
def test_an_agent_inside_shows_its_external_address(version: int, long: int) -> None:
    agent = Ends(bed_of(Snmp(), server_inside=True), "udp")
    agent.say(OUT, message(b"\x05\0", kind=0xA0))
    said = [address(CLIENT), b"\x02\x01\x09", address(OTHER_CLIENT), address(SERVER)]
    heard = agent.say(IN, message(*said, version=version, long=long))
    assert heard == message(address(agent.external[0]), *said[1:], version=version, long=long)


def test_a_manager_outside_that_names_the_external_address_means_the_agent() -> None:
    agent = Ends(bed_of(Snmp(), server_inside=True), "udp")
    said = message(address(agent.external[0]), address(SERVER), kind=0xA3)
    assert agent.say(OUT, said) == message(address(CLIENT), address(SERVER), kind=0xA3)


def test_a_trap_of_an_agent_inside() -> None:
    agent = Ends(bed_of(Snmp(), server_inside=False), "udp", service=162)
    heard = agent.say(IN, trap(CLIENT, address(CLIENT)))
    assert heard == trap(agent.external[0], address(agent.external[0]))
    assert agent.say(IN, trap(OTHER_CLIENT)) == trap(OTHER_CLIENT)


def test_two_agents_at_once_with_equal_ports() -> None:
    bed = bed_of(Snmp(), server_inside=False)
    agents = [Ends(bed, "udp", near=near, service=162) for near in (CLIENT, OTHER_CLIENT)]
    for agent in agents:
        assert agent.say(IN, trap(agent.near[0])) == trap(agent.external[0])


@pytest.mark.parametrize(
    "said",
    [
        b"",
        message(address(CLIENT))[:-1],
        message(address(CLIENT)) + b"\0",
        message(address(CLIENT), version=3),
        message(address(CLIENT), version=2),
        message(address(CLIENT), kind=0xA9),
        message(address(CLIENT), kind=0x30),
        message(value(0x40, CLIENT.packed + b"\0")),
        message(value(0x40, CLIENT.packed[:3])),
        message(value(0x04, CLIENT.packed)),
        message(value(0x41, CLIENT.packed)),
        b"\x30\x80" + message(address(CLIENT))[2:],
        b"\x30\x85\0\0\0\0\x30" + message(address(CLIENT))[2:],
        message(b"\x40\x7f" + CLIENT.packed),
        b"POST / HTTP/1.1\r\n\r\n" + message(address(CLIENT)),
        b"\x40\0\0\x54" + message(address(CLIENT)),
    ],
    ids=repr,
)
def test_anything_else_stays(said: bytes) -> None:
    assert Listener(Snmp(), True).hear_all([(IN, said)]).places == []


def test_an_address_in_an_object_s_name_stays() -> None:
    """ipAdEntAddr.192.168.1.10: the value is written, its index is not."""
    index = b"\x06\x0e\x2b\x06\x01\x02\x01\x04\x14\x01\x01\x81\x40\x81\x28\x01\x0a"
    said = value(0x30, value(0x30, index[:1] + bytes([len(index) - 2]) + index[2:] + address(CLIENT)))
    pdu = value(0xA2, b"\x02\x01\x01" * 3 + said)
    listener = Listener(Snmp(), True).hear_all([(IN, value(0x30, b"\2\1\1\4\6public" + pdu))])
    assert len(listener.places) == 1


def test_a_message_with_too_many_addresses_stays() -> None:
    listener = Listener(Snmp(), True).hear_all([(IN, message(*[address(CLIENT)] * 257))])
    assert (listener.places, listener.not_acted_on) == ([], ["too_long"])


def test_values_in_one_another_end() -> None:
    said = b""
    for _ in range(5000):
        said = value(0x30, said)
    assert Listener(Snmp(), True).hear_all([(IN, message(said))]).places == []

"""The sender's endpoint in NetBIOS datagrams, of real captures and of hosts that mean harm."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.router import CLIENT, OTHER_CLIENT, SERVER

from helpers.protocols.ends import Ends, bed_of
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.nbdgm import Nbdgm

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "nbns" / "captures"
SAMBA = IPv4Address("192.168.77.10")
REST = b"\0\x20\0\0 EJEO and more"


def datagram(address: IPv4Address, port: int, kind: int = 0x11) -> bytes:
    """A datagram of a host."""
    return bytes([kind, 0x0A]) + b"\x12\x34" + address.packed + port.to_bytes(2) + REST


def test_each_datagram_of_samba_names_its_sender() -> None:
    read = heard(Nbdgm(), CAPTURES / "rec-wins.pcap", SAMBA, server_inside=False)
    assert read.places == [(frame, "Named", str(SAMBA), 138) for frame in (35, 63, 64, 66, 78)]


@pytest.mark.parametrize("name", ["rec-wins.pcap", "tcpdump-eapon1.pcap", "tcpdump-nbns-malformed.pcap"])
def test_what_the_outside_sends_stays(name: str) -> None:
    read = heard(Nbdgm(), CAPTURES / name, None, server_inside=True)
    assert (read.places, read.left) == ([], 0)


@pytest.mark.parametrize("kind", range(0x10, 0x17))
@pytest.mark.parametrize("port", [138, 40138])
def test_the_outside_sees_the_external_endpoint(kind: int, port: int) -> None:
    client = Ends(bed_of(Nbdgm(), server_inside=False), "udp", port=port, service=138)
    written = client.say(IN, datagram(CLIENT, port, kind))
    assert written == datagram(*client.external, kind)


def test_of_another_port_the_address_alone_is_written() -> None:
    client = Ends(bed_of(Nbdgm(), server_inside=False), "udp", service=138)
    assert client.say(IN, datagram(CLIENT, 138)) == datagram(client.external[0], 138)


def test_two_hosts_at_once_have_endpoints_of_their_own() -> None:
    bed = bed_of(Nbdgm(), server_inside=False)
    one, other = (Ends(bed, "udp", near=near, port=138, service=138) for near in (CLIENT, OTHER_CLIENT))
    for each in (one, other):
        assert each.say(IN, datagram(each.near[0], 138)) == datagram(*each.external)
    assert one.external != other.external


@pytest.mark.parametrize(
    "said",
    [
        b"",
        datagram(CLIENT, 40000)[:9],
        datagram(CLIENT, 40000, 0x0F),
        datagram(CLIENT, 40000, 0x17),
        datagram(OTHER_CLIENT, 40000),
        datagram(SERVER, 40000),
        b"POST / HTTP/1.1\r\n",
    ],
    ids=repr,
)
def test_anything_else_stays(said: bytes) -> None:
    assert Ends(bed_of(Nbdgm(), server_inside=False), "udp", service=138).say(IN, said) == said


def test_no_address_of_the_outside_is_restored() -> None:
    """Nobody outside names our endpoint there."""
    listener = Listener(Nbdgm(), True).hear_all([(OUT, datagram(IPv4Address("203.0.113.2"), 40000))])
    assert listener.places == []

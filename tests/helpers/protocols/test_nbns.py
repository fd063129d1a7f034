"""The addresses of NetBIOS names, of real captures and of hosts that mean harm."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.router import CLIENT, OTHER_CLIENT, SERVER

from helpers.protocols.ends import Ends, bed_of
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.nbns import MOST_OF_A_NAME, Nbns

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "nbns" / "captures"
SAMBA, WINS = IPv4Address("192.168.77.10"), IPv4Address("203.0.113.20")
NAME = b" EJEOEDEMEJCACACACACACACACACACACA\0"
QUESTION = NAME + b"\0 \0\1"


def entries(*addresses: IPv4Address) -> bytes:
    """The data of a record NB."""
    data = b"".join(b"`\0" + each.packed for each in addresses)
    return len(data).to_bytes(2) + data


def registration(*addresses: IPv4Address, flags: bytes = b"\x79\0", number: bytes = b"\0\1") -> bytes:
    """A request of a host to a WINS server."""
    head = number + flags + b"\0\1\0\0\0\0\0\1"
    return head + QUESTION + b"\xc0\x0c\0 \0\1\0\3\xf4\x80" + entries(*addresses)


def reply(*addresses: IPv4Address, flags: bytes = b"\xad\x80") -> bytes:
    """The server's answer, or a host's to a query."""
    return b"\0\1" + flags + b"\0\0\0\1\0\0\0\0" + NAME + b"\0 \0\1\0\3\xf4\x80" + entries(*addresses)


def test_what_samba_registers_and_what_a_wins_server_answers() -> None:
    read = heard(Nbns(), CAPTURES / "rec-wins.pcap", SAMBA, server_inside=False)
    to_server = [25, 27, 29, 31, 33]
    places = [each for each in read.places if each[0] in range(25, 35) or each[0] > 66]
    assert [frame for frame, kind, address, _ in places if (kind, address) == ("Named", str(SAMBA))][
        :5
    ] == to_server
    assert {(kind, address) for frame, kind, address, _ in places if frame in {26, 28, 30, 32, 34}} == {
        ("Mentioned", str(SAMBA))
    }
    assert read.left_alone == []


def test_a_malformed_message_has_none() -> None:
    for server_inside in (False, True):
        read = heard(Nbns(), CAPTURES / "tcpdump-nbns-malformed.pcap", None, server_inside=server_inside)
        assert (read.heard, read.places) == (1, [])


@pytest.mark.parametrize("flags", [b"\x29\0", b"\x79\0", b"\x40\0", b"\x48\0", b"\x30\0"])
def test_a_registration_names_the_external_address_and_its_answer_the_internal_one(flags: bytes) -> None:
    client = Ends(bed_of(Nbns(), server_inside=False), "udp", port=137, service=137)
    written = client.say(IN, registration(CLIENT, flags=flags))
    assert written == registration(client.external[0], flags=flags)
    assert client.say(OUT, reply(client.external[0])) == reply(CLIENT)


def test_of_several_addresses_its_own_alone_is_written() -> None:
    client = Ends(bed_of(Nbns(), server_inside=False), "udp", port=137, service=137)
    said = registration(OTHER_CLIENT, CLIENT, SERVER)
    assert client.say(IN, said) == registration(OTHER_CLIENT, client.external[0], SERVER)
    assert client.say(OUT, reply(SERVER, OTHER_CLIENT)) == reply(SERVER, OTHER_CLIENT)


def test_a_host_inside_answers_a_query_from_outside() -> None:
    host = Ends(bed_of(Nbns(), server_inside=True), "udp")
    host.say(OUT, b"\0\1\0\0\0\1\0\0\0\0\0\0" + QUESTION)
    assert host.say(IN, reply(CLIENT, flags=b"\x85\0")) == reply(host.external[0], flags=b"\x85\0")


def test_two_hosts_at_once_with_equal_ports() -> None:
    bed = bed_of(Nbns(), server_inside=False)
    hosts = [Ends(bed, "udp", near=near, port=137, service=137) for near in (CLIENT, OTHER_CLIENT)]
    for host in hosts:
        assert host.say(IN, registration(host.near[0])) == registration(host.external[0])
    for host in hosts:
        assert host.say(OUT, reply(host.external[0])) == reply(host.near[0])


def test_a_server_that_sends_a_host_to_another_names_an_address_alone() -> None:
    said = b"\0\1\x85\0\0\0\0\0\0\0\0\1" + NAME + b"\0\1\0\1\0\3\xf4\x80\0\4" + CLIENT.packed
    host = Ends(bed_of(Nbns(), server_inside=True), "udp")
    host.say(OUT, b"?")
    assert host.say(IN, said) == said[:-4] + host.external[0].packed


@pytest.mark.parametrize(
    "said",
    [
        b"",
        registration(CLIENT)[:-1],
        registration(CLIENT)[:-6],
        registration(CLIENT).replace(b"\x79\0\0\1", b"\x21\0\0\1"),
        registration(CLIENT).replace(b"\0 \0\1\0\3", b"\0 \0\2\0\3"),
        registration(CLIENT).replace(b"\0 \0\1\0\3", b"\0\x21\0\1\0\3"),
        registration(CLIENT).replace(b" EJ", b"\x60EJ"),
        b"\0\1\x79\0\xff\xff\xff\xff\xff\xff\xff\xff" + registration(CLIENT)[12:],
        b"POST / HTTP/1.1\r\n" + registration(CLIENT),
        b"\x40\0\0\x54" + registration(CLIENT),
    ],
    ids=repr,
)
def test_anything_else_stays(said: bytes) -> None:
    assert Listener(Nbns(), True).hear_all([(IN, said)]).places == []


def test_a_message_with_more_records_than_the_service_knows_stays() -> None:
    record = b"\xc0\x0c\0 \0\1\0\3\xf4\x80" + entries(CLIENT)
    for count in (MOST_OF_A_NAME, MOST_OF_A_NAME + 1):
        said = b"\0\1\x79\0\0\1\0\0\0\0" + count.to_bytes(2) + QUESTION + record * count
        found = Listener(Nbns(), True).hear_all([(IN, said)]).places
        assert len(found) == (count if count == MOST_OF_A_NAME else 0)


def test_a_record_with_more_addresses_than_are_written_at_once_stays() -> None:
    listener = Listener(Nbns(), True).hear_all([(IN, registration(*[CLIENT] * 257))])
    assert (listener.places, listener.not_acted_on) == ([], ["too_long"])

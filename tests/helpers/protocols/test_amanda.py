"""Which ports of a backup client are announced, of a real capture and of hosts that mean harm."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.router import OTHER_SERVER

from helpers.protocols.ends import Ends, bed_of, expected
from nfmasq.helpers.kit.base import Found, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.amanda import MOST_OF_A_BACKUP, Amanda

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURE = Path(__file__).parent / "amanda" / "captures" / "rec-bsd-udp-dump.pcap"
REQUEST = b"Amanda 3.5 REQ HANDLE 000-00000001 SEQ 17\nSERVICE sendbackup\n"
REPLY = b"Amanda 3.5 REP HANDLE 000-00000001 SEQ 17\nCONNECT DATA 50024 MESG 50025 INDEX 50026\n\n"


def ports(data: bytes, side: Side = IN, *, inside_began: bool = False) -> list[int]:
    """What is announced."""
    listener = Listener(Amanda(), inside_began).hear_all([(OUT, REQUEST), (side, data)])
    return [each.what.port for each in listener.places if isinstance(each.what, Found)]


def test_a_real_dump_has_four_streams() -> None:
    read = heard(Amanda(), CAPTURE, None, server_inside=True)
    assert read.places == [(25, "Found", "", port) for port in (50024, 50025, 50026, 50027)]
    assert (read.left_alone, read.left) == ([], 0)


def test_a_client_outside_is_left_alone() -> None:
    read = heard(Amanda(), CAPTURE, IPv4Address("192.168.77.10"), server_inside=False)
    assert (read.places, read.left) == ([], 3)


@pytest.mark.parametrize("streams", [b"DATA 1025", b"DATA 0", b"A 1024 B 2 C 3 D 4 E 5 F 6 G 7 H 8"])
@pytest.mark.parametrize("kind", [b"REP", b"PREP"])
def test_any_number_of_streams_with_any_names(streams: bytes, kind: bytes) -> None:
    said = b"Amanda 2.6 " + kind + b" HANDLE 00C-98BD0A08 SEQ 1\nCONNECT " + streams + b"\n"
    assert ports(said) == [int(word) for word in streams.split()[1::2]]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"CONNECT DATA 50024\n",
        REPLY.replace(b" REP ", b" REQ "),
        REPLY.replace(b" REP ", b" ACK "),
        REPLY.replace(b"17\nCONNECT", b"17\nOPTIONS x;\nCONNECT"),
        REPLY.replace(b"CONNECT", b"connect"),
        REPLY[:-2],
        REPLY.replace(b"50024 ", b"50024  "),
        REPLY.replace(b"50024 ", b"-50024 "),
        b"\n" + REPLY,
        b"POST / HTTP/1.1\r\n\r\n" + REPLY,
        b"\x40\0\0\x54" + REPLY,
    ],
    ids=repr,
)
def test_nothing_is_announced_by_anything_else(said: bytes) -> None:
    assert ports(said) == []


def test_only_a_client_inside_announces() -> None:
    assert ports(REPLY, OUT) == []
    assert ports(REPLY, inside_began=True) == []


def test_numbers_do_not_wrap() -> None:
    listener = Listener(Amanda(), False).hear_all([(IN, REPLY.replace(b"50024", b"65536"))])
    assert listener.not_acted_on == ["malformed"]
    assert [each.what.port for each in listener.places if isinstance(each.what, Found)] == [50025, 50026]


def test_a_reply_with_too_many_streams_stays() -> None:
    said = REPLY.replace(b"INDEX", b"A 5000 " * MOST_OF_A_BACKUP + b"INDEX")
    listener = Listener(Amanda(), False).hear_all([(IN, said)])
    assert (listener.places, listener.not_acted_on) == ([], ["not_allowed"])


def test_two_servers_with_equal_ports_get_ports_of_their_own() -> None:
    bed = bed_of(Amanda(), server_inside=True)
    one, other = (Ends(bed, "udp", far=far, port=851) for far in (Ends(bed, "udp").far[0], OTHER_SERVER))
    written = []
    for server in (one, other):
        assert server.say(OUT, REQUEST) == REQUEST
        written.append(server.say(IN, REPLY))
    rows = [row for row in bed.table.sessions() if row.state == "expected"]
    assert sorted((row.internal[1], row.remote[0]) for row in rows) == sorted(
        (port, server.far[0]) for port in (50024, 50025, 50026) for server in (one, other)
    )
    for server, text in zip((one, other), written, strict=True):
        told = {int(word) for word in text.split() if word.isdigit()} - {17}
        assert told == {row.external[1] for row in rows if row.remote[0] == server.far[0]}


def test_a_client_that_announces_a_port_again_keeps_the_external_one() -> None:
    bed = bed_of(Amanda(), server_inside=True)
    server = Ends(bed, "udp")
    server.say(OUT, REQUEST)
    assert server.say(IN, REPLY) == server.say(IN, REPLY)
    assert set(expected(bed)) == {50024, 50025, 50026}

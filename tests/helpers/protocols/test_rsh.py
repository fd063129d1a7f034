"""The port that a remote shell's client begins with, and who may announce one below 1024."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.packets import SYN, tcp
from support.router import CLIENT, OTHER_CLIENT, SERVER

from helpers.engine.announcing import not_acted_on
from helpers.engine.bed import Bed
from helpers.protocols.ends import Ends, bed_of, expected
from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.rsh import Rsh

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "rsh" / "captures"


def hear(*said: bytes, inside_began: bool = True) -> Listener:
    """What a client is heard to say."""
    return Listener(Rsh(), inside_began).hear_all([(IN, text) for text in said])


def shell(
    bed: Bed, *, near: IPv4Address = CLIENT, port: int = 1023, numbers: tuple[int, int] = (7, 1007)
) -> Ends:
    """A client with a port below 1024, as rsh has."""
    return Ends(bed, "tcp", near=near, port=port, service=514, numbers=numbers)


def test_a_real_session_has_one_port() -> None:
    read = heard(Rsh(), CAPTURES / "rec-stderr.pcap", None, server_inside=False)
    assert read.places == [(4, "Found", "", 1022)]


def test_a_stream_without_its_nul_is_left() -> None:
    read = heard(Rsh(), CAPTURES / "zeek-rsh-no-nul.pcapng", None, server_inside=False)
    assert (read.places, read.left) == ([], 1)


def test_a_server_inside_is_left_alone() -> None:
    read = heard(Rsh(), CAPTURES / "rec-stderr.pcap", None, server_inside=True)
    assert (read.places, read.left) == ([], 1)


@pytest.mark.parametrize("said", [b"\0user\0user\0id\0", b"0\0user\0", b"00000\0"])
def test_no_second_connection_is_no_error(said: bytes) -> None:
    heard = hear(said)
    assert (heard.places, heard.not_acted_on, heard.left) == ([], [], False)


@pytest.mark.parametrize("said", [b"102200\0", b"x\0", b"10 22\0", b"GET / HTTP/1.1\r\n", b"\xff\0", b"-1\0"])
def test_what_does_not_begin_so_is_left(said: bytes) -> None:
    heard = hear(said, b"1022\0")
    assert (heard.places, heard.left) == ([], True)


def test_the_digits_wait_for_their_end_and_nothing_else_does() -> None:
    heard = hear(b"10", b"2")
    assert heard.waiting[IN] == b"102"
    heard.hear(IN, b"2\0ann\0")
    assert heard.waiting[IN] == b""
    assert [(each.start, each.end) for each in heard.places] == [(0, 4)]


def test_numbers_do_not_wrap() -> None:
    assert hear(b"65536\0").not_acted_on == ["malformed"]


def test_the_external_ports_are_below_1024_both_of_them() -> None:
    """in.rshd refuses any other."""
    bed = bed_of(Rsh(), server_inside=False)
    client = shell(bed)
    text = client.say(IN, b"1022\0")
    assert text.endswith(b"\0")
    assert {client.external[1] < 1024, expected(bed)[1022][1] < 1024} == {True}
    assert int(text[:-1]) == expected(bed)[1022][1]


def test_the_server_s_connection_comes_in() -> None:
    bed = bed_of(Rsh(), server_inside=False)
    client = shell(bed)
    port = int(client.say(IN, b"1022\0")[:-1])
    (syn,) = bed.send(tcp(SERVER, 1023, client.external[0], port, SYN), inbound=True)
    assert (syn[16:20], int.from_bytes(syn[22:24])) == (client.near[0].packed, 1022)
    assert expected(bed) == {}


def test_two_clients_with_equal_ports_get_ports_of_their_own() -> None:
    bed = bed_of(Rsh(), server_inside=False)
    one, other = shell(bed), shell(bed, near=OTHER_CLIENT)
    ports = {int(client.say(IN, b"1022\0")[:-1]) for client in (one, other)}
    rows = [row for row in bed.table.sessions() if row.state == "expected"]
    assert {row.external[1] for row in rows} == ports
    assert len({row.internal[0] for row in rows}) == len(ports) == 2


@pytest.mark.parametrize("port", [1, 22, 511, 1024, 5000, 65535])
def test_no_other_port_is_announced(port: int) -> None:
    bed = bed_of(Rsh(), server_inside=False)
    said = b"%d\0" % port
    assert shell(bed).say(IN, said) == said
    assert (expected(bed), not_acted_on(bed, "rsh")) == ({}, {"not_allowed": 1})


def test_a_program_without_such_a_port_announces_none() -> None:
    """A browser's script has no port below 1024, whatever it sends."""
    bed = bed_of(Rsh(), server_inside=False)
    assert shell(bed, port=40000).say(IN, b"1022\0") == b"1022\0"
    assert (expected(bed), not_acted_on(bed, "rsh")) == ({}, {"not_allowed": 1})


def test_without_ports_below_1024_the_port_stays_and_is_counted() -> None:
    bed = bed_of(Rsh(), server_inside=False, low_ports=())
    assert shell(bed).say(IN, b"1022\0") == b"1022\0"
    assert (expected(bed), not_acted_on(bed, "rsh")) == ({}, {"no_room": 1})


def test_a_command_from_the_same_port_as_the_one_before() -> None:
    """rsh takes the highest free port below 1024 again and again; the sessions before still close."""
    bed = bed_of(Rsh(), server_inside=False)
    for number in range(3):
        client = shell(bed, numbers=(7 + number * 100_000, 1007 + number * 100_000))
        told = client.say(IN, b"1022\0")
        assert int(told[:-1]) == expected(bed)[1022][1]
        client.say(IN, b"ann\0ann\0id\0")
        client.close()

"""Where an Oracle listener sends its clients on to, of real captures and of hosts that mean harm."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.conversations import heard
from support.packets import SYN, tcp
from support.router import CLIENT, OTHER_CLIENT, OTHER_SERVER, SERVER

from helpers.engine.announcing import not_acted_on
from helpers.engine.bed import Bed
from helpers.protocols.ends import Ends, bed_of, expected
from nfmasq.helpers.kit.base import Found, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.tns import LONGEST, MOST_PACKETS, Tns

IN, OUT = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "tns" / "captures"
BEHIND = b"\0(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=x))(ADDRESS=(HOST=192.168.1.10)(PORT=1521)))"


def packet(kind: int, body: bytes) -> bytes:
    """A packet."""
    return (len(body) + 8).to_bytes(2) + b"\0\0" + bytes([kind]) + b"\0\0\0" + body


def place(host: object = CLIENT, port: int = 20143, behind: bytes = b"") -> bytes:
    """Where to go on to."""
    return b"(ADDRESS=(PROTOCOL=tcp)(HOST=%s)(PORT=%d))%s" % (str(host).encode(), port, behind)


def in_one(text: bytes) -> bytes:
    """A redirect as old listeners write it."""
    return packet(5, len(text).to_bytes(2) + text)


def in_two(text: bytes) -> bytes:
    """A redirect with its text in a packet of its own."""
    return packet(5, len(text).to_bytes(2)) + packet(6, b"\0\0" + text)


Form = Callable[[bytes], bytes]
CONNECT = packet(1, b"\1\x3a\1\x2c" + bytes(46) + b"(DESCRIPTION=(ADDRESS=(HOST=203.0.113.1)(PORT=1521)))")
RESEND, ACCEPT, REFUSE = packet(11, b""), packet(2, bytes(16)), packet(4, b"\0\0\0\0")
FORMS = pytest.mark.parametrize("form", [in_one, in_two])


def listener(bed: Bed | None = None, far: IPv4Address = SERVER) -> Ends:
    """A listener inside that a client has spoken to."""
    made = Ends(bed or bed_of(Tns(), server_inside=True), "tcp", far=far)
    assert made.say(OUT, CONNECT) == CONNECT
    return made


def places(*said: bytes) -> list[Found]:
    """What is announced in what a listener says."""
    read = Listener(Tns(), False).hear_all([(OUT, CONNECT), *((IN, each) for each in said)])
    return [each.what for each in read.places if isinstance(each.what, Found)]


def test_a_real_redirect_and_a_real_session_without_one() -> None:
    read = heard(Tns(), CAPTURES / "cthelper-redirect.pcap", None, server_inside=True)
    assert read.places == [(6, "Named", "192.168.0.4", 0), (6, "Found", "192.168.0.4", 2143)]
    read = heard(Tns(), CAPTURES / "ndpi-oracle12.pcapng", None, server_inside=True)
    assert (read.places, read.left) == ([], 1)


def test_a_listener_outside_is_left_alone() -> None:
    read = heard(Tns(), CAPTURES / "cthelper-redirect.pcap", None, server_inside=False)
    assert (read.places, read.left) == ([], 1)


@FORMS
@pytest.mark.parametrize("behind", [b"", BEHIND])
@pytest.mark.parametrize("first", [b"", RESEND])
def test_the_client_is_sent_to_the_external_endpoint_and_let_in(
    form: Form, behind: bytes, first: bytes
) -> None:
    ends = listener()
    if first:
        assert ends.say(IN, first) == first
        ends.say(OUT, CONNECT)
    told = ends.say(IN, form(place(behind=behind)))
    now = expected(ends.bed)[20143]
    assert told == form(place(*now, behind=behind))
    (syn,) = ends.bed.send(tcp(SERVER, 50000, *now, SYN), inbound=True)
    assert (syn[16:20], int.from_bytes(syn[22:24])) == (CLIENT.packed, 20143)


@FORMS
@pytest.mark.parametrize(
    "text",
    [
        b"(ADDRESS=(PORT=20143)(HOST=192.168.1.10))",
        b"(address = (protocol = tcp) (host = 192.168.1.10) (port = 20143 ) )",
    ],
)
def test_any_order_and_any_blanks(form: Form, text: bytes) -> None:
    ends = listener()
    told = ends.say(IN, form(text))
    address, port = expected(ends.bed)[20143]
    wanted = text.replace(b"192.168.1.10", str(address).encode()).replace(b"20143", b"%d" % port)
    assert told == form(wanted)


@FORMS
def test_a_host_that_is_a_name_stays(form: Form) -> None:
    """The outside reached the listener by a name, too."""
    ends = listener()
    told = ends.say(IN, form(place("db.example")))
    assert told == form(place("db.example", expected(ends.bed)[20143][1]))


@FORMS
@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        (OTHER_CLIENT, 20143, "forged"),
        (SERVER, 20143, "forged"),
        (CLIENT, 1023, "privileged"),
        (CLIENT, 65536, "malformed"),
        ("192.168.1.256", 20143, "malformed"),
    ],
)
def test_what_must_not_be_opened_stays_with_all_lengths(
    form: Form, host: object, port: int, why: str
) -> None:
    ends = listener()
    said = form(place(host, port))
    assert ends.say(IN, said) == said
    assert (expected(ends.bed), not_acted_on(ends.bed, "tns")) == ({}, {why: 1})


@FORMS
def test_of_several_endpoints_all_are_written_or_none(form: Form) -> None:
    ends = listener()
    said = form(place() + place(OTHER_CLIENT, 20144))
    assert ends.say(IN, said) == said
    assert expected(ends.bed) == {}
    both = [found.port for found in places(form(place() + place(port=20144)))]
    assert both == [20143, 20144]


@FORMS
def test_who_is_sent_on_may_be_sent_on_again(form: Form) -> None:
    (found,) = places(form(place()))
    assert found.reader == "tns"


def test_a_redirect_waits_until_it_is_whole() -> None:
    said = in_two(place())
    for cut in range(1, len(said)):
        read = Listener(Tns(), False).hear_all([(OUT, CONNECT), (IN, said[:cut])])
        assert (read.waiting[IN], read.places) == (said[:cut], [])
        read.hear(IN, said[cut:])
        assert read.waiting[IN] == b""
        assert len(read.places) == 4


@pytest.mark.parametrize(
    "said",
    [
        ACCEPT + in_one(place()),
        REFUSE + in_one(place()),
        packet(6, b"\0\0" + place()),
        b"HTTP/1.1 200 OK\r\n" + in_one(place()),
        b"\0\x07\0\0\x05\0\0\0" + in_one(place()),
        packet(5, b"\0\0more") + in_one(place()),
        packet(5, (LONGEST + 1).to_bytes(2)) + in_one(place()),
        packet(5, b"\0\x20") + packet(6, b"\0\0" + place()),
        packet(5, len(place()).to_bytes(2)) + packet(4, b"\0\0" + place()),
        packet(11, b"more") + in_one(place()),
        RESEND * (MOST_PACKETS + 1) + in_one(place()),
    ],
    ids=repr,
)
def test_behind_anything_else_nothing_is_read(said: bytes) -> None:
    assert places(said, in_one(place())) == []


@pytest.mark.parametrize("said", [b"POST / HTTP/1.1\r\n", packet(6, b"\0\0x"), b"\0\0\0\0\0"])
def test_a_client_that_begins_otherwise_is_left(said: bytes) -> None:
    read = Listener(Tns(), False).hear_all([(OUT, said), (OUT, CONNECT), (IN, in_one(place()))])
    assert (read.places, read.left) == ([], True)


def test_a_listener_that_speaks_first_is_left() -> None:
    assert Listener(Tns(), False).hear_all([(IN, in_one(place()))]).left


def test_two_clients_at_once_with_equal_ports() -> None:
    one = listener()
    other = listener(one.bed, far=OTHER_SERVER)
    told = [each.say(IN, in_one(place())) for each in (one, other)]
    rows = [row for row in one.bed.table.sessions() if row.state == "expected"]
    assert {row.remote[0] for row in rows} == {SERVER, OTHER_SERVER}
    assert set(told) == {in_one(place(*row.external)) for row in rows}

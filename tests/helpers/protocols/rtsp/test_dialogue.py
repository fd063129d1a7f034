"""RTSP connections: what is read on which side, what waits, and when the helper leaves."""

import gc
import random
import tracemalloc

import pytest
from support.dialogues import IN, OUT

from helpers.protocols.rtsp.sayings import UDP, Heard, client, reply, request, setup
from nfmasq.helpers.kit.base import MOST_FOUND, Found, Mentioned, Side
from nfmasq.helpers.protocols.rtsp.setups import MOST_STREAM_PORTS, MOST_STREAMS, MOST_UNANSWERED

PAIR = UDP + b"client_port=5000-5001"
SOURCES = b"".join(b";source=198.51.100.%d" % host for host in range(1, 200))[:2000]
OFFER = b"Transport: " + UDP + b"client_port=7000-7001;server_port=6000-6001"


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.0\r\nx-sessioncookie: 1\r\n\r\n",
        b"POST /x HTTP/1.1\r\n\r\n",
        b"SETUP /x HTTP/1.1\r\n\r\n",
        b"SETUP rtsp://x/ RTSP/3.0\r\n\r\n",
        b"setup rtsp://x/ RTSP/1.0\r\n\r\n",
        b"BREW rtsp://x/ RTSP/1.0\r\n\r\n",
        b"PNA\x00\x0a\x00\x14\x00\x02",
        b"\x16\x03\x01\x02\x00",
        b"$\0\0\x04data",
        b"RTSP/1.0 200 OK\r\n\r\n",
    ],
)
def test_another_protocol_on_the_port(first: bytes) -> None:
    heard = Heard((IN, first), (IN, setup(1, PAIR)))
    assert heard.left
    assert heard.places == []


@pytest.mark.parametrize("first", [b"HTTP/1.0 200 OK\r\n\r\n", b"220 Hi\r\n", b"PNA\0", setup(1, PAIR)])
def test_a_server_that_does_not_speak_it(first: bytes) -> None:
    heard = Heard((IN, request(1, method=b"OPTIONS")), (OUT, first), (IN, setup(2, PAIR)))
    assert heard.left
    assert heard.places == []


def test_a_later_message_that_is_none() -> None:
    heard = Heard((IN, request(1, method=b"OPTIONS")), (IN, b"GET / HTTP/1.1\r\n\r\n"), (IN, setup(2, PAIR)))
    assert heard.left
    assert heard.places == []


@pytest.mark.parametrize("version", [b"1.0", b"2.0"])
def test_both_versions(version: bytes) -> None:
    (place,) = Heard((IN, setup(1, PAIR).replace(b"RTSP/1.0", b"RTSP/" + version))).places
    assert isinstance(place.what, Found)
    assert place.what.ends_with_control


def test_only_setup_is_rewritten() -> None:
    for method in (b"PLAY", b"ANNOUNCE", b"SET_PARAMETER", b"SETUPS"):
        assert Heard((IN, request(1, b"Transport: " + PAIR, method=method))).places == []


def test_bodies_and_frames_are_no_messages() -> None:
    body = setup(7, PAIR)
    length = b"Content-Length: %d" % len(body)
    frame = b"$\0" + len(body).to_bytes(2) + body
    heard = Heard(
        (IN, request(1, length, method=b"ANNOUNCE") + body + frame + frame),
        (OUT, reply(1, length) + body + frame),
        (IN, request(2, b"Content-Length:\r\n %d" % len(body), method=b"SET_PARAMETER") + body),
    )
    assert (heard.places, heard.left) == ([], False)
    assert len(heard.hear_all([(IN, setup(3, PAIR))]).places) == 1


@pytest.mark.parametrize("lengths", [[b"x"], [b"-1"], [b"4", b"5"], [b""], [b"99999999999"]])
def test_a_length_that_nobody_can_rely_on(lengths: list[bytes]) -> None:
    headers = [b"Content-Length: " + each for each in lengths]
    heard = Heard((IN, request(1, *headers, method=b"ANNOUNCE")), (IN, setup(2, PAIR)))
    assert heard.left
    assert heard.places == []


def test_a_remote_client_s_ports_are_only_read() -> None:
    heard = Heard((OUT, setup(1, PAIR)), inside_began=False)
    assert (heard.places, heard.waiting[OUT]) == ([], b"")


def test_an_internal_server_s_reply_must_answer_setup() -> None:
    asked = (OUT, request(1, method=b"OPTIONS") + setup(2, PAIR))
    for answer in (reply(1, OFFER), reply(2, OFFER, code=461), reply(3, OFFER), request(2, OFFER)):
        assert Heard(asked, (IN, answer), inside_began=False).places == []
    assert len(Heard(asked, (IN, reply(2, OFFER)), inside_began=False).places) == 1


def test_a_reply_whose_number_comes_late_or_never() -> None:
    for answer in (b"RTSP/1.0 200 OK\r\n%s\r\nCSeq: 1\r\n\r\n", b"RTSP/1.0 200 OK\r\n%s\r\n\r\n"):
        heard = Heard((OUT, setup(1, PAIR)), (IN, answer % OFFER), inside_began=False)
        assert [type(each.what) for each in heard.places] == [Found]


def test_an_internal_client_s_server_announces_nothing() -> None:
    heard = Heard((IN, request(1, method=b"OPTIONS")), (OUT, reply(1) + b"$\0\0\0" + setup(1, PAIR)))
    assert heard.places == []


def test_only_what_may_be_rewritten_waits() -> None:
    """Some servers send the first line alone, and the rest when it was acknowledged."""
    begun = Heard((IN, b"SETUP rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\nTrans"))
    assert begun.waiting[IN] == b""
    assert begun.hear_all([(IN, b"port: RTP/AVP;client_po")]).waiting[IN] == b"RTP/AVP;client_po"
    assert begun.hear_all([(IN, b"rt=5000-5001\r\n")]).waiting[IN] == b"RTP/AVP;client_port=5000-5001\r\n"
    assert begun.hear_all([(IN, b" ;x=1")]).places == []
    assert begun.hear_all([(IN, b"\r\nX")]).waiting[IN] == b""
    assert len(begun.places) == 1
    assert Heard((OUT, b"RTSP/1.0 200 OK\r\n")).waiting[OUT] == b""
    assert Heard((OUT, b"RTSP/1.0 200 OK\r\nTransport: RTP")).waiting[OUT] == b"RTP"


class TestEnds:
    """What a connection has set up, and what closes it."""

    TWO = (
        (IN, setup(1, PAIR)),
        (OUT, reply(1, b"Transport: " + UDP + b"client_port=40000-40001")),
        (IN, setup(2, UDP + b"client_port=5002-5003", path=b"a/2", session=9)),
        (OUT, reply(2, b"Transport: " + UDP + b"client_port=40002-40003")),
    )

    def test_teardown_of_all(self) -> None:
        heard = Heard(*self.TWO, (IN, request(3, method=b"TEARDOWN", path=b"a", session=9)))
        assert heard.ended == []
        assert heard.hear_all([(OUT, reply(3))]).ended == [("udp", port) for port in range(5000, 5004)]

    def test_teardown_of_one(self) -> None:
        heard = Heard(*self.TWO, (IN, request(3, method=b"TEARDOWN", session=9)), (OUT, reply(3)))
        assert heard.ended == [("udp", 5000), ("udp", 5001)]

    def test_teardown_of_another_session(self) -> None:
        assert Heard(*self.TWO, (IN, request(3, method=b"TEARDOWN", session=8)), (OUT, reply(3))).ended == []

    def test_teardown_that_is_refused(self) -> None:
        asked = (IN, request(3, method=b"TEARDOWN", session=9))
        assert Heard(*self.TWO, asked, (OUT, reply(3, code=401))).ended == []
        assert Heard(*self.TWO, asked, (OUT, reply(3, code=454))).ended

    def test_setup_that_is_refused(self) -> None:
        heard = Heard((IN, setup(1, PAIR)), (OUT, reply(1, code=100)))
        assert heard.ended == []
        assert heard.hear_all([(OUT, reply(1, code=461))]).ended == [("udp", 5000), ("udp", 5001)]

    def test_setup_that_is_refused_leaves_the_stream_that_has_the_ports(self) -> None:
        assert Heard(*self.TWO, (IN, setup(3, PAIR)), (OUT, reply(3, code=455))).ended == []

    def test_the_server_chose_the_connection_itself(self) -> None:
        heard = Heard(
            (IN, setup(1, PAIR + b",RTP/AVP/TCP;interleaved=0-1")),
            (OUT, reply(1, b"Transport: RTP/AVP/TCP;interleaved=0-1")),
        )
        assert heard.ended == [("udp", 5000), ("udp", 5001)]

    def test_pipelined_requests_are_told_apart(self) -> None:
        heard = Heard(
            (IN, setup(1, PAIR) + setup(2, UDP + b"client_port=5002-5003", path=b"a/2")),
            (OUT, reply(2, code=461) + reply(1, b"Transport: " + UDP + b"client_port=40000-40001")),
        )
        assert heard.ended == [("udp", 5002), ("udp", 5003)]

    def test_an_internal_server_s_ports_end_too(self) -> None:
        heard = Heard(
            (OUT, setup(1, PAIR)),
            (IN, reply(1, OFFER)),
            (OUT, request(2, method=b"TEARDOWN", session=9)),
            (IN, reply(2)),
            inside_began=False,
        )
        assert heard.ended == [("udp", 6000), ("udp", 6001)]


@pytest.mark.parametrize("has_replies", [False, True])
def test_many_requests_take_bounded_room(has_replies: bool) -> None:
    heard = client(PAIR)
    for number in range(2, 500):
        heard.hear(IN, setup(number, UDP + b"client_port=%d" % (5000 + 2 * number)))
        if has_replies:
            heard.hear(OUT, reply(number, b"Transport: " + UDP))
    setups = heard._dialogue._setups
    waiting, streams = len(list(setups._requests)), len(setups._streams)
    assert (waiting, streams) == ((1, MOST_STREAMS) if has_replies else (MOST_UNANSWERED, 0))


def rows_of_eight(first: int, count: int) -> bytes:
    """So many alternatives, each with eight ports."""
    return b",".join(UDP + b"client_port=%d-%d" % (at, at + 7) for at in range(first, first + 8 * count, 8))


def test_only_so_many_ports_are_announced_until_others_end() -> None:
    heard = Heard()
    for number in range(1, 9):
        heard.hear(IN, setup(number, rows_of_eight(4000 + 200 * number, 8)))
    assert (
        sum(each.what.consecutive for each in heard.places if isinstance(each.what, Found))
        == MOST_STREAM_PORTS
    )
    assert heard.not_acted_on == ["no_room"] * 32
    heard.hear(OUT, b"".join(reply(number, code=461) for number in range(1, 9)))
    assert (len(heard.ended), heard.left) == (MOST_STREAM_PORTS, False)
    heard.hear(IN, setup(9, rows_of_eight(8000, 4)))
    assert heard.not_acted_on == ["no_room"] * 32


def test_more_ports_end_than_a_reading_has_room_for() -> None:
    """The others end with the next one."""
    heard = Heard(inside_began=False)
    said = []
    for number in range(1, 7):
        if number % 3:
            heard.hear(OUT, setup(number, PAIR))
            rows = rows_of_eight(2000 + 200 * number, 16).replace(b"client", b"server")
            said.append(reply(number, b"Transport: " + rows))
        else:
            heard.hear(OUT, request(number, method=b"TEARDOWN", session=9))
            said.append(reply(number))
    heard.hear(IN, b"".join(said))
    assert (len(heard.ended), heard.left) == (MOST_FOUND, False)
    heard.hear(OUT, request(7, method=b"OPTIONS"))
    heard.hear(IN, reply(7))
    assert len(set(heard.ended)) == 2 * MOST_STREAM_PORTS


@pytest.mark.parametrize("text", [b"u", b"u" * 7000], ids=["short", "long"])
def test_what_one_connection_stores_is_little_whatever_is_said(text: bytes) -> None:
    """A host may open thousands of them."""
    rows = [b"Transport: " + rows_of_eight(2000 + 80 * number, 4) for number in range(200)]
    Heard((IN, setup(1, PAIR)), (OUT, reply(1)))  # what is loaded once
    tracemalloc.start()
    try:
        heard = Heard()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(200):
            said = request(number, b"Session: " + text, rows[number], path=text), reply(number)
            for side, one in zip((IN, OUT)[: 1 + number % 2], said, strict=False):
                heard.hear(side, one.replace(b"CSeq: ", b"CSeq: " + text))
        for told in (heard.places, heard.not_acted_on, heard.ended):
            told.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not heard.left
    assert after - before < 60_000


def test_a_message_without_an_end_is_left() -> None:
    headers = b"".join(b"X-%d: y\r\n" % number for number in range(200))
    assert Heard((IN, setup(1, PAIR)[:-2] + headers)).left
    assert not Heard((IN, setup(1, PAIR)[:-2] + headers[:500] + b"\r\n")).left


def test_hostile_bytes_raise_nothing() -> None:
    """Pieces of the protocol in any order; the listener fails where the contract is broken."""
    chance = random.Random(2326)
    pieces = [
        b"SETUP rtsp://x/ RTSP/1.0\r\n", b"RTSP/1.0 200 OK\r\n", b"TEARDOWN rtsp://x/ RTSP/1.0\r\n",
        b"Transport:", b"CSeq: 1\r\n", b"Session: 9\r\n", b"Content-Length: 5\r\n", b"RTP/AVP;",
        b"client_port=5000-5001", b"client_port=", b"server_port=1-2", b"destination=", b"dest_addr=",
        b"source=1.2.3.4", b"192.168.1.10", b":5000", b"9" * 30, b"\xff" * 9, b"\r\n\r\n",
        b" " * 4000, b";" * 4000, b"," * 4000, b'"' * 4000, b"Transport: x;" + b" " * 4000 + b'"\r\n',
        b'dest_addr=":5000"' + b'/":5000"' * 300, b",a;client_port=5000-5001" * 160,
        b" ", b"\t", b"\r\n", b"\n", b"\r", b",", b";", b'"', b"/", b"$", b"\0",
    ]  # fmt: skip
    for _ in range(400):
        heard = Heard(inside_began=chance.random() < 0.5)
        heard.hear(IN if heard.inside_began else OUT, b"SETUP rtsp://x/ RTSP/1.0\r\n")
        for _ in range(chance.randrange(40)):
            heard.hear(chance.choice(list(Side)), chance.choice(pieces))


def test_hostile_messages_raise_nothing() -> None:
    """Whole ones, each from its own side, with all of everything."""
    chance = random.Random(7826)
    row = b"client_port=%d-%d"
    transports = [
        b",".join(UDP + row % (first, first + 7) for first in range(5000, 5128, 8)),
        UDP + b"client_port=5000-5007",
        PAIR + SOURCES,
        PAIR + b";server_port=6000-6007" + SOURCES,
        UDP + b'dest_addr=":5000"' + b'/":5001"' * 300,
        b",a;client_port=1" * 100,
        b"x;" + b" " * 7000 + b'"',
    ]
    for inside_began in (True, False):
        client, server = (IN, OUT) if inside_began else (OUT, IN)
        for _ in range(60):
            heard = Heard(inside_began=inside_began)
            for number in range(1, 20):
                method = chance.choice((b"SETUP", b"SETUP", b"TEARDOWN", b"PLAY"))
                heard.hear(client, setup(number, chance.choice(transports), method=method, session=9))
                code = chance.choice((200, 200, 461))
                heard.hear(server, reply(number, b"Transport: " + chance.choice(transports), code=code))
            assert not heard.left


def test_a_remote_reply_repeats_a_port_nobody_announced() -> None:
    """It is mentioned; the engine knows that there is no such port, and leaves the text."""
    heard = Heard((OUT, b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;client_port=1-2\r\n\r\n"))
    assert {type(each.what) for each in heard.places} == {Mentioned}

"""What a client's request opens, and what of a server's answers is rewritten."""

from pathlib import Path

import pytest

from helpers.protocols.played import play, to_port
from nfmasq.helpers.kit.base import Admitted, Found, Named, Side
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, REMOTE, Listener
from nfmasq.helpers.kit.rewriting import rewritten
from nfmasq.helpers.protocols.quake import LONGEST, Quake

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
CAPTURE = Path(__file__).parent / "quake" / "captures" / "rec-qstat-scripted.pcap"


def control(code: int, body: bytes) -> bytes:
    """A control message with its length."""
    return b"\x80\0" + (5 + len(body)).to_bytes(2) + bytes([code]) + body


CONNECT = control(0x01, b"QUAKE\0\3")
ACCEPT = control(0x81, b"\xb5\x99\0\0")


def described(endpoint: bytes) -> bytes:
    """A server's description of itself."""
    return control(0x83, endpoint + b"\0pc test\0start\0\1\x08\3")


def heard(*said: tuple[Side, bytes], inside_began: bool) -> Listener:
    """A dialogue that has read these datagrams."""
    listener = Listener(Quake(), inside_began).hear_all(said)
    assert not listener.left
    return listener


def of_client(data: bytes, side: Side = INSIDE) -> bool:
    """Does a datagram of a session that the inside began open the client's own port, and that alone?"""
    listener = heard((side, data), inside_began=True)
    places = [place.what for place in listener.places]
    assert places in ([], [Found(0, 0, None, listener.session.internal[1], None, "udp")])
    return bool(places)


def test_a_client_inside_that_asks_to_connect_hears_from_any_port_of_the_server() -> None:
    assert of_client(CONNECT)
    assert of_client(control(0x01, b"QUAKE\0\3\1\x22\0\0\0\0")), "as newer clients ask"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CONNECT[:-1],
        CONNECT + b"\0",
        control(0x01, b"QUAKE2\0\3"),
        control(0x02, b"QUAKE\0\3"),
        ACCEPT,
        described(b"192.168.1.10:26000"),
        b"\0\1\0\x0c\x01QUAKE\0\3",
        b"\xff\xff\xff\xffgetchallenge\n",
        b"POST / HTTP/1.1\r\n\r\n" + CONNECT,
        control(0x01, b"QUAKE\0" + bytes(LONGEST)),
    ],
)
def test_nothing_else_of_a_client_opens_anything(data: bytes) -> None:
    assert not of_client(data)
    assert not of_client(CONNECT, OUTSIDE)


def test_the_game_of_a_client_inside_goes_on_at_the_port_that_is_accepted() -> None:
    """From the inside, too, by the endpoint that asked."""
    listener = heard((INSIDE, CONNECT), (OUTSIDE, ACCEPT), inside_began=True)
    assert listener.admitted == [Admitted("udp", listener.session.internal[1], REMOTE, 39349)]
    for data in (ACCEPT[:-1], ACCEPT + b"\0", control(0x82, b"\xb5\x99\0\0")):
        assert heard((INSIDE, CONNECT), (OUTSIDE, data), inside_began=True).admitted == []
    assert heard((INSIDE, ACCEPT), inside_began=True).admitted == []


def test_the_port_that_a_server_inside_accepts_at_is_rewritten() -> None:
    listener = heard((OUTSIDE, CONNECT), (INSIDE, ACCEPT), inside_began=False)
    (place,) = listener.places
    assert isinstance(place.what, Found)
    assert (place.what.port, place.what.transport, place.what.anyone) == (39349, "udp", False)
    ((_, text),) = rewritten([(INSIDE, ACCEPT)], listener, (EXTERNAL, 0x1234))
    assert text == control(0x81, b"\x34\x12\0\0")


def test_where_the_game_goes_on_at_the_port_that_was_asked_nothing_is_expected() -> None:
    """An expectation there would take the next player from the helper."""
    said = [(INSIDE, control(0x81, (26000).to_bytes(4, "little")))]
    listener = heard(*said, inside_began=False)
    (place,) = listener.places
    assert isinstance(place.what, Named)
    ((_, text),) = rewritten(said, listener, (EXTERNAL, 0x1234))
    assert text == control(0x81, b"\x34\x12\0\0")


@pytest.mark.parametrize(
    "data",
    [ACCEPT[:-1], ACCEPT + b"\0", control(0x81, b"\xb5\x99\1\0"), control(0x81, b"\xb5\x99"), CONNECT],
)
def test_what_is_no_answer_stays(data: bytes) -> None:
    assert heard((INSIDE, data), inside_began=False).places == []


def test_a_server_outside_is_only_read() -> None:
    for data in (ACCEPT, described(b"192.168.1.10:26000")):
        assert heard((OUTSIDE, data), inside_began=True).places == []
        assert heard((OUTSIDE, data), inside_began=False).places == []


def test_the_server_s_own_endpoint_is_rewritten_and_the_length_with_it() -> None:
    said = [(INSIDE, described(b"192.168.1.10:26000"))]
    listener = heard(*said, inside_began=False)
    _, named = (place.what for place in listener.places)
    assert isinstance(named, Named)
    assert (named.address, named.port) == (INTERNAL, 26000)
    ((_, text),) = rewritten(said, listener, (EXTERNAL, 1))
    assert text == described(b"203.0.113.2:1")


def test_a_message_is_no_longer_than_servers_make_it() -> None:
    longest = LONGEST - len(described(b"192.168.1.10:26000"))
    for more, found in ((longest, 2), (longest + 1, 0)):
        data = described(b"192.168.1.10:26000\0" + b"x" * (more - 1))
        assert len(heard((INSIDE, data), inside_began=False).places) == found


@pytest.mark.parametrize("endpoint", [b"local", b"pc.example:26000", b"192.168.1.10", b"", b"1.2.3.4:x"])
def test_a_name_in_its_place_stays(endpoint: bytes) -> None:
    assert heard((INSIDE, described(endpoint)), inside_began=False).places == []


@pytest.mark.parametrize("endpoint", [b"192.168.1.256:26000", b"192.168.1.10:65536", b"9" * 40 + b".1.1.1:1"])
def test_numbers_do_not_wrap(endpoint: bytes) -> None:
    listener = heard((INSIDE, described(endpoint)), inside_began=False)
    assert (listener.places, listener.not_acted_on) == ([], ["malformed"])


def test_of_a_capture_the_request_alone_opens_something() -> None:
    read, _ = play(CAPTURE, Quake, to_port(26000))
    assert read == {9: [Found(0, 0, None, 57302, None, "udp")]}

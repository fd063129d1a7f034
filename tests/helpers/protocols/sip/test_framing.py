"""Messages in a TCP stream: several in a segment, one over many, and what ends the reading."""

import sys
from types import FrameType

import pytest

from helpers.protocols.sip.sayings import IN, OUT, Heard, invite, request, sdp
from nfmasq.helpers.kit.listener import INTERNAL
from nfmasq.helpers.protocols.sip.framing import MOST_MESSAGES
from nfmasq.helpers.protocols.sip.message import read_message

OFFER = [str(len(sdp("m=audio 6000 RTP/AVP 0"))), str(INTERNAL), "6000"]
PAGE = request("MESSAGE", body="x" * 5000, kind="text/plain")


def heard(*pieces: bytes) -> Heard:
    """What the inside says in these segments."""
    return Heard(*((IN, piece) for piece in pieces), transport="tcp")


def test_several_messages_in_a_segment() -> None:
    text = invite() + PAGE + b"\r\n\r\n" + invite(call="2@here")
    assert heard(text).found == OFFER * 2


def test_who_says_too_many_messages_in_a_segment_loses_the_helper() -> None:
    few = request("OPTIONS") * (MOST_MESSAGES - 1) + invite()
    assert heard(few).found == OFFER
    assert not heard(few).listener.left
    many = heard(few + invite(call="2@here"), invite(call="3@here"))
    assert many.found == OFFER
    assert many.listener.left


@pytest.mark.parametrize("size", [1, 2, 100, 1460])
def test_one_message_over_many_segments(size: int) -> None:
    text = PAGE + invite()
    one = heard(*(text[at : at + size] for at in range(0, len(text), size)))
    assert one.found == OFFER
    assert not one.listener.waiting[IN]


def test_a_body_that_is_no_description_waits_for_nothing() -> None:
    one = heard(PAGE[:400])
    assert not one.listener.waiting[IN]
    assert heard(PAGE[:400], PAGE[400:] + invite()).found == OFFER


def test_a_description_waits_for_its_end() -> None:
    assert heard(invite()[:-1]).listener.waiting[IN] == invite()[:-1]


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"INVITER sip:x SIP/2.0\r\n",
        b"INVITE sip:x SIP/3.0\r\n",
        b"INVITE  sip:x SIP/2.0\r\n",
        b"SIP/2.0 abc\r\n",
        b"INVITE sip:" + b"x" * 20000,
        b"INVITE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 4000,
        b"INVITE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        request("OPTIONS").replace(b"Content-Length: 0", b"X: y"),
        request("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: x"),
        request("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: 0\r\nl: 0"),
        request("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: 99999999"),
    ],
    ids=lambda text: repr(text[:40]),
)
def test_a_stream_that_cannot_be_read_is_left(text: bytes) -> None:
    """Behind a message whose end is not known no other one is found."""
    assert heard(text, invite()).listener.left
    assert not heard(text, invite()).found
    assert not heard(request("OPTIONS"), text, invite()).found


def test_other_methods_pass_behind_a_message() -> None:
    """Of extensions that are not known."""
    extension = invite().replace(b"INVITE", b"EXTEND")
    one = heard(request("OPTIONS"), extension, invite(call="2@here"))
    assert one.found == OFFER
    assert not one.listener.left


def test_each_side_begins_by_itself() -> None:
    one = Heard((IN, request("OPTIONS")), (OUT, b"HTTP/1.1 200 OK\r\n"), transport="tcp")
    assert one.listener.left


def test_a_head_is_read_once_however_slowly_its_body_comes() -> None:
    """Else each byte of a long description costs as much as the whole head, for all helpers' sessions."""
    text = request("INVITE", "X: " + "y" * 5000, body=sdp("m=audio 6000 RTP/AVP 0", *["a=x"] * 200))
    body = text.index(b"\r\n\r\n") + 4
    assert read_while_heard(text[:body], *(text[at : at + 1] for at in range(body, len(text)))) <= 3


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_head_that_comes_byte_by_byte_is_searched_once(size: int, end: bytes) -> None:
    """Else each byte costs as much as all that came before."""
    text = request("INVITE", *["X: " + "y" * 50] * 40, body=sdp("m=audio 6000 RTP/AVP 0"))
    head, empty, body = text.partition(b"\r\n\r\n")
    text = (head + empty).replace(b"\r\n", end) + body
    assert read_while_heard(*(text[at : at + size] for at in range(0, len(text), size))) <= 4


def test_a_head_that_never_ends_is_left_however_slowly_it_comes() -> None:
    begun = request("INVITE")[:-2]
    one = heard(begun, *[b"X: " + b"y" * 997 + b"\r\n"] * 17, invite())
    assert one.listener.left
    assert one.found == []


def read_while_heard(*pieces: bytes) -> int:
    """How often a head is read while the inside says an INVITE with audio in these pieces."""
    read: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is read_message.__code__:
            read.append(event)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        one = heard(*pieces)
    finally:
        sys.setprofile(before)
    assert one.found[1:] == [str(INTERNAL), "6000"]
    return len(read)

"""Where a message begins and ends, and where its headers stand."""

import pytest

from helpers.protocols.sip.sayings import invite, request, response
from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.protocols.sip.message import (
    NAMES,
    NotSip,
    begins,
    behind_blanks,
    brief,
    read_message,
    require_headers,
)

HEAD = b"INVITE sip:bob SIP/2.0\r\n"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("write", [bytes.lower, bytes.upper, bytes.title])
def test_long_and_compact_names_in_any_case(name: bytes, write: object) -> None:
    assert callable(write)
    message = read_message(HEAD + write(name) + b" : 5 \r\n\r\n", 0)
    assert message is not None
    (value,) = message.headers[NAMES[name]]
    assert value.text == b"5"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"i:a", b"a"),
        (b"i:\t a b \t", b"a b"),
        (b"i: a\r\n b", b"a   b"),
        (b"i:\r\n\ta", b"a"),
        (b"i:", b""),
        (b"x: y\r\ni: a", b"a"),
        (b"ix: y\r\ni: a", b"a"),
        (b"x: y\r\n i: b\r\ni: a", b"a"),
    ],
)
def test_a_value_and_its_span(text: bytes, value: bytes) -> None:
    """Folded lines keep their length, so that spans in the text are spans in the message."""
    data = HEAD + text + b"\r\n\r\n"
    message = read_message(b"..." + data, 3)
    assert message is not None
    (found,) = message.headers[b"call-id"]
    assert found.text == value
    assert (b"..." + data)[found.start : found.end].translate(None, b"\r\n") == value.translate(
        None, b"\r\n"
    ) or b"\n" in text
    assert found.end - found.start == len(value)


def test_bare_line_feeds_end_lines_too() -> None:
    text = invite().replace(b"\r\n", b"\n")
    message = read_message(text, 0)
    assert message is not None
    assert text[message.body :].startswith(b"v=0")


def test_a_message_whose_empty_line_has_not_come() -> None:
    assert read_message(HEAD + b"i: a\r\n", 0) is None


@pytest.mark.parametrize(
    "text", [b"", b"x", b"INVITE sip:x HTTP/1.1\r\n\r\n", b" " + HEAD, b"SIP/2.0 20 OK\r\n\r\n"]
)
def test_what_is_no_first_line(text: bytes) -> None:
    with pytest.raises(NotSip):
        read_message(text, 0)


def test_too_many_headers() -> None:
    with pytest.raises(NotActedOn, match="malformed"):
        read_message(HEAD + b"x: y\r\n" * 257 + b"\r\n", 0)


@pytest.mark.parametrize("text", [HEAD, b"SIP/2.0 200 OK\r\n"])
def test_a_first_line_may_come_in_pieces(text: bytes) -> None:
    assert all(begins(text[:end], 0) for end in range(1, len(text) + 1))


@pytest.mark.parametrize(
    "text", [b"\0", b"\x16\x03", b"GET / HTTP", b"SIP/1", b"INVITE sip:x HTTP/1.1 xxx", b"A" * 20000]
)
def test_what_cannot_become_one(text: bytes) -> None:
    assert not begins(text, 0)


def test_behind_blanks() -> None:
    assert [behind_blanks(text, 0) for text in (b"", b"\r\n\r\nA", b"A", b"\r\n")] == [0, 4, 0, 2]


@pytest.mark.parametrize("between", [" ", "\t", "  \t ", "\r\n "])
def test_any_blanks_stand_in_cseq(between: str) -> None:
    """RFC 3261 section 25.1: LWS. An answer with others is an answer to the same request."""
    message = read_message(invite().replace(b"CSeq: 1 ", f"CSeq: 1{between}".encode()), 0)
    plain = read_message(invite(), 0)
    assert message is not None
    assert plain is not None
    require_headers(message)
    assert message.sequence == plain.sequence


@pytest.mark.parametrize(
    "cseq", ["", "1", "INVITE", "1 INVITE x", "x INVITE", "1INVITE", "1 invite", "-1 INVITE"]
)
def test_a_cseq_that_cannot_be_read(cseq: str) -> None:
    message = read_message(invite().replace(b"CSeq: 1 INVITE", f"CSeq: {cseq}".encode()), 0)
    assert message is not None
    with pytest.raises(NotActedOn, match="malformed"):
        require_headers(message)


def test_the_method_of_an_answer_is_cseq_s() -> None:
    message = read_message(response(200, "INVITE").replace(b"1 INVITE", b"1\tINVITE"), 0)
    assert message is not None
    assert message.method == b"INVITE"


@pytest.mark.parametrize(
    ("to", "tags"),
    [
        ("<sip:bob@x>", {b"ann"}),
        ("<sip:bob@x>;tag=bob", {b"ann", b"bob"}),
        ("<sip:bob@x>;x=y; TAG = bob;z", {b"ann", b"bob"}),
        ("<sip:bob@x;tag=uri>", {b"ann"}),
        ("sip:bob@x;tag=bob", {b"ann", b"bob"}),
    ],
)
def test_tags_and_the_dialog(to: str, tags: set[bytes]) -> None:
    message = read_message(request("BYE", to=to), 0)
    assert message is not None
    assert message.tags == {brief(tag) for tag in tags}
    assert message.is_in_dialog == (len(tags) == 2)

"""Which ids the helper finds in control connections: real ones, and those of hosts that mean harm."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.captures import TCP, frames

from helpers.protocols.pptp.messages import (
    ANSWERED,
    CALLED,
    CLEAR,
    CONNECTED,
    ERROR,
    GONE,
    LINK,
    REPLY,
    REQUEST,
    START,
    STARTED,
    message,
)
from nfmasq.helpers.kit.base import SENT, Found, Mentioned, Place, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.pptp import LONGEST, MOST_CALL_IDS, MOST_CONTROL_MESSAGES, Pptp

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "pptp" / "captures"
ANY = IPv4Address("192.0.2.1")

Ids = list[tuple[Side, str, int]]


def listener() -> Listener:
    """The ear of a session."""
    return Listener(Pptp(), inside_began=True)


def named(what: Place) -> str:
    """An id is given here, named again by its giver, or named by the other side."""
    if isinstance(what, Mentioned):
        return "other's"
    assert isinstance(what, Found)
    assert (what.transport, what.address, what.ends_with_control) == ("gre", None, True)
    return "own" if what.reuse else "new"


def ids(heard: Listener) -> Ids:
    """What was found."""
    return [
        (each.side, named(each.what), each.what.port)
        for each in heard.places
        if isinstance(each.what, Found | Mentioned)
    ]


def read(*said: tuple[Side, bytes]) -> Ids:
    """The ids in what two sides say."""
    heard = listener().hear_all(said)
    assert not heard.left
    assert not any(heard.waiting.values())
    return ids(heard)


# Messages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (message(REQUEST, 5, 99), [("new", 5)]),
        (message(REPLY, 6, 5), [("new", 6), ("other's", 5)]),
        (message(CALLED, 5, 99), [("new", 5)]),
        (message(ANSWERED, 6, 5), [("new", 6), ("other's", 5)]),
        (message(CONNECTED, 5), [("other's", 5)]),
        (message(CLEAR, 5), [("own", 5)]),
        (message(ERROR, 5), [("other's", 5)]),
        (message(LINK, 5), [("other's", 5)]),
    ],
)
def test_the_ids_of_each_message(side: Side, text: bytes, found: list[tuple[str, int]]) -> None:
    """The other side's id is one of ours only if the outside names it."""
    shown = [each for each in found if side is OUTSIDE or each[0] != "other's"]
    assert read((side, text)) == [(side, *each) for each in shown]


@pytest.mark.parametrize("key", [0, 1, 0x7E7D, 0xFFFF])
def test_any_number_is_an_id(key: int) -> None:
    assert read((INSIDE, message(REQUEST, key, 1)), (OUTSIDE, message(LINK, key))) == [
        (INSIDE, "new", key),
        (OUTSIDE, "other's", key),
    ]


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5, 6, 16, 99, 0xFFFF])
def test_messages_without_ids_pass_those_of_unknown_types_too(kind: int) -> None:
    found = read((INSIDE, message(kind) + message(REQUEST, 5, 1)), (OUTSIDE, message(kind, length=4000)))
    assert found == [(INSIDE, "new", 5)]


def test_a_management_message_passes() -> None:
    """Its type is reserved; what looks like a control type in it is none."""
    text = bytearray(message(REQUEST, 5, 1))
    text[3] = 2
    assert read((INSIDE, bytes(text) + message(REQUEST, 6, 1))) == [(INSIDE, "new", 6)]


def test_a_reply_that_refuses_gives_no_id() -> None:
    assert read((INSIDE, message(REPLY, 6, 5, result=2))) == []
    assert read((OUTSIDE, message(REPLY, 6, 5, result=2))) == [(OUTSIDE, "other's", 5)]


def test_a_disconnect_names_the_id_of_whoever_says_it_or_as_some_do_the_other_s() -> None:
    call = (INSIDE, message(REQUEST, 5, 1)), (OUTSIDE, message(REPLY, 6, 5))
    assert read(*call, (OUTSIDE, message(GONE, 6)))[-1] == (OUTSIDE, "own", 6)
    assert read(*call, (OUTSIDE, message(GONE, 5)))[-1] == (OUTSIDE, "other's", 5)
    assert read(*call, (INSIDE, message(GONE, 5)))[-1] == (INSIDE, "own", 5)


def test_an_id_is_written_as_two_bytes_in_its_place() -> None:
    heard = listener().hear_all([(OUTSIDE, message(START) + message(REPLY, 6, 5))])
    own, other = heard.places
    assert (own.start, own.end, other.start, other.end) == (168, 170, 170, 172)
    assert isinstance(other.what, Mentioned)
    assert other.what.write(ANY, 0x0102) == b"\1\2"


# What is over -------------------------------------------------------------------------------------------


def over(*said: tuple[Side, bytes], as_seen: int | None = None) -> list[tuple[str, int]]:
    """What is over after this. as_seen: what the engine writes for ids that the outside mentions."""
    heard = listener()
    for side, text in said:
        known = len(heard.places)
        heard.hear(side, text)
        for each in heard.places[known:]:
            if isinstance(each.what, Mentioned) and as_seen is not None:
                each.what.write(ANY, as_seen)
    return heard.ended


def test_a_client_inside_hangs_up() -> None:
    call = (INSIDE, message(REQUEST, 5, 1)), (OUTSIDE, message(REPLY, 6, 77))
    clear, gone = (INSIDE, message(CLEAR, 5)), (OUTSIDE, message(GONE, 6))
    assert over(*call, clear, as_seen=5) == [("gre", 5), (SENT, 6)]
    assert over(*call, clear, gone, as_seen=5) == [("gre", 5), (SENT, 6), (SENT, 6)]
    assert over(*call, clear, gone) == [("gre", 5), (SENT, 6)], "if no reply has told which are one call"


def test_a_server_outside_hangs_up() -> None:
    call = (INSIDE, message(REQUEST, 5, 1)), (OUTSIDE, message(REPLY, 6, 77))
    assert over(*call, (OUTSIDE, message(GONE, 6)), as_seen=5) == [(SENT, 6), ("gre", 5)]


def test_a_client_outside_hangs_up() -> None:
    call = (OUTSIDE, message(REQUEST, 5, 1)), (INSIDE, message(REPLY, 6, 5))
    assert over(*call, (OUTSIDE, message(CLEAR, 5))) == [(SENT, 5), ("gre", 6)]
    assert over(*call, (INSIDE, message(GONE, 6))) == [("gre", 6), (SENT, 5)]


def test_a_server_inside_refuses() -> None:
    assert over((OUTSIDE, message(REQUEST, 5, 1)), (INSIDE, message(REPLY, 0, 5, result=4))) == [(SENT, 5)]


def test_a_late_disconnect_does_not_end_the_next_call_with_the_same_id() -> None:
    first = (INSIDE, message(REQUEST, 5, 1)), (OUTSIDE, message(REPLY, 6, 5)), (INSIDE, message(CLEAR, 5))
    second = (INSIDE, message(REQUEST, 5, 2)), (OUTSIDE, message(REPLY, 7, 5))
    ended = over(*first, *second, (OUTSIDE, message(GONE, 6)), as_seen=5)
    assert ended == [("gre", 5), (SENT, 6), (SENT, 6)]


def test_neither_does_one_that_is_said_twice() -> None:
    first = (INSIDE, message(REQUEST, 5, 1)), (OUTSIDE, message(REPLY, 6, 5)), (OUTSIDE, message(GONE, 6))
    second = (INSIDE, message(REQUEST, 5, 2)), (OUTSIDE, message(REPLY, 7, 5))
    ended = over(*first, *second, (OUTSIDE, message(GONE, 6)), as_seen=5)
    assert ended == [(SENT, 6), ("gre", 5), (SENT, 6)]


# Other bytes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03",
        message(REQUEST, 5, 1, cookie=0x4D3C2B1A),
        message(REQUEST, 5, 1, length=15),
        message(REPLY, 6, 5, length=17),
        message(REQUEST, 5, 1, length=LONGEST + 1),
        message(5, length=11),
        b"\0\1" + message(5)[2:],
        message(5)[:4] + b"\x1a\x2b\x3c\x4e",
    ],
)
@pytest.mark.parametrize("side", Side)
def test_where_it_is_no_pptp_the_helper_leaves(side: Side, text: bytes) -> None:
    heard = listener().hear_all([(side, message(STARTED) + text)])
    assert heard.left
    assert heard.places == []


@pytest.mark.parametrize(
    "before",
    [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 168\r\n\r\n", b"\0" * 8, message(START)[:-1], b"\r\n"],
)
def test_a_message_behind_other_bytes_opens_nothing(before: bytes) -> None:
    """NAT slipstreaming: a page lets a browser send it; each segment may begin with it."""
    heard = listener()
    heard.hear(INSIDE, before)
    heard.hear(INSIDE, message(REQUEST, 5, 1))
    assert heard.places == []
    assert heard.left


def test_what_is_remembered_is_bounded() -> None:
    heard = listener()
    for key in range(3 * MOST_CALL_IDS):
        heard.hear(OUTSIDE, message(REQUEST, key, 1))
        heard.hear(INSIDE, message(REPLY, key, key))
    assert len(heard._dialogue._calls) == len(heard._dialogue._theirs) == MOST_CALL_IDS


def test_an_id_that_is_given_to_a_newer_call_ends_that_one() -> None:
    """However often the inside says again which id of the outside is the same call's."""
    heard = listener()
    for key in (7, 8, 7, 9):
        heard.hear(OUTSIDE, message(REQUEST, key, 1))
        heard.hear(INSIDE, message(REPLY, 5, key))
    heard.hear(INSIDE, message(GONE, 5))
    assert heard.ended == [("gre", 5), (SENT, 9)]
    heard.hear(OUTSIDE, message(CLEAR, 9))
    heard.hear(OUTSIDE, message(CLEAR, 8))
    assert heard.ended[2:] == [(SENT, 9), (SENT, 8), ("gre", 5)]


def test_a_message_waits_until_it_is_whole_and_one_without_ids_does_not() -> None:
    heard = listener()
    heard.hear(INSIDE, message(REQUEST, 5, 1)[:-1])
    assert (len(heard.waiting[INSIDE]), heard.places) == (167, [])
    heard.hear(INSIDE, b"\0")
    assert (heard.waiting[INSIDE], ids(heard)) == (b"", [(INSIDE, "new", 5)])
    heard.hear(INSIDE, message(START)[:100])
    assert heard.waiting[INSIDE] == b""
    heard.hear(INSIDE, message(START)[100:] + message(CLEAR, 5))
    assert ids(heard)[-1] == (INSIDE, "own", 5)


# Captures -----------------------------------------------------------------------------------------------


FOUND: dict[str, dict[int, list[tuple[str, int]]]] = {
    "rec-two-clients.pcap": {
        15: [("new", 1990)],
        16: [("new", 0), ("other's", 1990)],
        20: [("new", 57673)],
        21: [("new", 128), ("other's", 57673)],
        53: [("own", 1990)],
        57: [("own", 57673)],
    },
    "tcpdump-pptp-gre.pcap": {10: [("new", 0)], 13: [("new", 0), ("other's", 0)]},
    "tcpdump-gre-malformed-1.pcap": {},
    "tcpdump-gre-malformed-2.pcap": {},
    "tcpdump-various-gre.pcap": {},
}


def test_every_capture_is_read() -> None:
    assert {path.name for path in CAPTURES.glob("*.pcap")} == set(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_the_ids_of_a_capture_are_found_in_their_frames_and_nothing_else(name: str) -> None:
    """A segment that was captured twice is read once, as the engine would."""
    heard: dict[frozenset[tuple[IPv4Address, int]], Listener] = {}
    seen = set()
    found = {}
    for frame in frames(CAPTURES / name):
        ends = (frame.source, frame.source_port), (frame.destination, frame.destination_port)
        if frame.protocol != TCP or not frame.payload or 1723 not in {ends[0][1], ends[1][1]}:
            continue
        if (ends, frame.sequence) in seen:
            continue
        seen.add((ends, frame.sequence))
        ear = heard.setdefault(frozenset(ends), listener())
        known = len(ear.places)
        ear.hear(INSIDE if frame.destination_port == 1723 else OUTSIDE, frame.payload)
        assert not ear.left
        if new := [(named(each.what), each.what.port) for each in ear.places[known:]]:  # type: ignore[union-attr]
            found[frame.number] = new
    assert found == FOUND[name]


def test_more_messages_in_one_reading_than_anybody_says_end_the_helper() -> None:
    """64 KB of the shortest ones would take too long. A frame of Ethernet may be full of them."""
    assert not listener().hear_all([(INSIDE, message(CLEAR, 5) * (1460 // 16))]).left
    assert not listener().hear_all([(INSIDE, message(5) * MOST_CONTROL_MESSAGES)]).left
    assert listener().hear_all([(INSIDE, message(5) * (MOST_CONTROL_MESSAGES + 1))]).left

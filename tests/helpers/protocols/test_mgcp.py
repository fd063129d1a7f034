"""What a gateway's answers announce, whom the call agent lets in, and what ends a connection."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.captures import Frame

from helpers.protocols.played import play
from nfmasq.helpers.kit.base import Admitted, Found, Named, Side
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, REMOTE, Listener
from nfmasq.helpers.kit.rewriting import rewritten
from nfmasq.helpers.protocols.mgcp import HOLD_S, MOST_LINKS, MOST_PIGGYBACKED, Mgcp

INSIDE, OUTSIDE = Side.INSIDE, Side.OUTSIDE
CAPTURES = Path(__file__).parent / "mgcp" / "captures"
FAR = IPv4Address("198.51.100.20")


def sdp(host: IPv4Address, port: int, *more: str) -> str:
    """A description."""
    lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP 0")
    return "".join(f"{line}\n" for line in (*lines, *more))


def command(verb: str, number: int, *parameters: str, body: str = "") -> bytes:
    """A command."""
    head = "".join(f"{line}\n" for line in (f"{verb} {number} aaln/1@gw MGCP 1.0", *parameters))
    return (head + (f"\n{body}" if body else "")).encode()


def answer(number: int, *parameters: str, body: str = "", code: int = 200) -> bytes:
    """An answer."""
    head = "".join(f"{line}\n" for line in (f"{code} {number} OK", *parameters))
    return (head + (f"\n{body}" if body else "")).encode()


def heard(*said: tuple[Side, bytes], inside_began: bool = True, port: int = 2427) -> Listener:
    """A dialogue that has read these datagrams."""
    return Listener(Mgcp(), inside_began, port=port).hear_all(said)


def announced(listener: Listener) -> list[tuple[int, int, bool]]:
    """First port, number of ports, and whether anyone may come, of all that was announced."""
    places = [each.what for each in listener.places]
    return [(each.port, each.consecutive, each.anyone) for each in places if isinstance(each, Found)]


CREATE = (OUTSIDE, command("CRCX", 2, "C: A1", "M: recvonly"))
CREATED = (INSIDE, answer(2, "I: F1", body=sdp(INTERNAL, 5000)))
CONNECT = (OUTSIDE, command("MDCX", 3, "C: A1", "I: F1", body=sdp(FAR, 6000)))


def test_what_an_answer_describes_is_announced() -> None:
    listener = heard(CREATE, CREATED)
    assert announced(listener) == [(5000, 2, True)]
    ((_, text),) = rewritten([CREATED], heard(CREATED), (EXTERNAL, 40000))
    assert text == answer(2, "I: F1", body=sdp(EXTERNAL, 40000)).replace(
        b"o=- 1 1 IN IP4 203.0.113.2", b"o=- 1 1 IN IP4 192.168.1.10"
    )


def test_whom_the_agent_names_is_let_in_at_once() -> None:
    """Also where the answer says nothing new."""
    listener = heard(CREATE, CREATED, CONNECT, (INSIDE, answer(3)))
    assert Admitted("udp", 5000, FAR) in listener.admitted
    assert Admitted("udp", 5001, FAR) in listener.admitted


def test_whom_the_agent_has_named_before_the_answer_is_let_in_alone() -> None:
    create = (OUTSIDE, command("CRCX", 2, "C: A1", body=sdp(FAR, 6000)))
    listener = heard(create, CREATED)
    assert announced(listener) == [(5000, 2, False)]
    assert listener.admitted == [Admitted("udp", 5000, FAR), Admitted("udp", 5001, FAR)]


@pytest.mark.parametrize(
    ("last", "ended"),
    [
        ((OUTSIDE, command("DLCX", 9, "C: A1", "I: F1")), [5000, 5001]),
        ((OUTSIDE, command("DLCX", 9, "C: A1")), [5000, 5001]),
        ((INSIDE, command("DLCX", 9, "C: A1", "I: F1", "E: 902")), [5000, 5001]),
        ((OUTSIDE, command("DLCX", 9, "C: A1", "I: F2")), []),
        ((OUTSIDE, command("DLCX", 9, "C: A2")), []),
        ((OUTSIDE, command("DLCX", 9)), []),
        ((OUTSIDE, command("MDCX", 9, "C: A1", "I: F1")), []),
    ],
)
def test_a_deleted_connection_ends_what_it_announced(last: tuple[Side, bytes], ended: list[int]) -> None:
    assert heard(CREATE, CREATED, last).ended == [("udp", port) for port in ended]


def test_a_connection_without_a_call_ends_by_its_own_id_alone() -> None:
    create = (OUTSIDE, command("CRCX", 2, "M: recvonly"))
    assert heard(create, CREATED, (OUTSIDE, command("DLCX", 9))).ended == []
    assert heard(create, CREATED, (OUTSIDE, command("DLCX", 9, "I: F1"))).ended


def test_messages_of_one_datagram_are_read_each_by_itself() -> None:
    both = command("CRCX", 2, "C: A1") + b".\r\n" + command("CRCX", 3, "C: A1", body=sdp(FAR, 6000))
    answers = (
        answer(2, "I: F1", body=sdp(INTERNAL, 5000)) + b".\n" + answer(3, "I: F2", body=sdp(INTERNAL, 5002))
    )
    listener = heard((OUTSIDE, both), (INSIDE, answers))
    assert announced(listener) == [(5000, 2, True), (5002, 2, False)]
    assert listener.admitted == [Admitted("udp", 5002, FAR), Admitted("udp", 5003, FAR)]


def test_one_message_that_cannot_be_translated_stays_and_the_others_do_not() -> None:
    texts = [
        answer(2, body=sdp(IPv4Address("192.168.1.11"), 5000)),
        answer(3, body=sdp(INTERNAL, 80)),
        answer(4, body=sdp(INTERNAL, 70000)),
        answer(5, body=sdp(INTERNAL, 5002)),
    ]
    listener = heard((INSIDE, b".\n".join(texts)))
    assert announced(listener) == [(5002, 2, True)]
    assert listener.not_acted_on == ["forged", "privileged", "malformed"]


def test_a_gateway_that_starts_keeps_its_session() -> None:
    assert heard((INSIDE, command("RSIP", 1, "RM: restart"))).hold_s == HOLD_S
    assert heard((INSIDE, command("NTFY", 1, "O: hd"))).hold_s == 0
    assert heard((OUTSIDE, command("RSIP", 1, "RM: restart"))).hold_s == 0


@pytest.mark.parametrize(
    ("written", "new"),
    [("ca@[192.168.1.10]:2727", "ca@[203.0.113.2]:40000"), ("[ca@[192.168.1.10]", "[ca@[203.0.113.2]:40000")],
)
def test_the_notified_entity_of_an_agent_inside_is_rewritten(written: str, new: str) -> None:
    said = [(INSIDE, command("RQNT", 4, f"N: {written}", "X: 1"))]
    listener = heard(*said, port=2727)
    (place,) = listener.places
    assert isinstance(place.what, Named)
    assert (place.what.address, place.what.port) == (INTERNAL, 2727)
    ((_, text),) = rewritten(said, listener, (EXTERNAL, 40000))
    assert text == command("RQNT", 4, f"N: {new}", "X: 1")


@pytest.mark.parametrize("entity", ["ca@agent.example:2727", "ca@[192.168.1.10", "", "ca@[::1]:2727"])
def test_another_notified_entity_stays(entity: str) -> None:
    assert heard((INSIDE, command("RQNT", 4, f"N: {entity}"))).places == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n" + answer(2, body=sdp(INTERNAL, 5000)),
        b"POST / HTTP/1.1\r\n\r\n.\r\n" + answer(2, body=sdp(INTERNAL, 5000)),
        answer(2, body=sdp(INTERNAL, 5000))[4:],
        command("CRCX", 2).replace(b"MGCP 1.0", b"SIP/2.0") + b"\n" + sdp(INTERNAL, 5000).encode(),
        answer(2, body=sdp(INTERNAL, 5000)).replace(b"200 2", b"200 1234567890"),
        b"\x80\0\0\x0c" + answer(2, body=sdp(INTERNAL, 5000)),
    ],
)
def test_what_begins_otherwise_is_left_alone(data: bytes) -> None:
    """A datagram counts from its first byte."""
    listener = heard((INSIDE, data))
    assert (listener.places, listener.left) == ([], False)


def test_what_is_remembered_and_read_is_bounded() -> None:
    listener = heard()
    for number in range(3 * MOST_LINKS):
        listener.hear(OUTSIDE, command("CRCX", number, f"C: {number}", f"I: {number}", body=sdp(FAR, 6000)))
        listener.hear(INSIDE, answer(number, f"I: i{number}", body=sdp(INTERNAL, 5000 + 2 * number)))
    assert len(listener._dialogue._links) == MOST_LINKS
    many = b".\n".join(answer(number, body=sdp(INTERNAL, 5000)) for number in range(100))
    assert len(announced(heard((INSIDE, many)))) == MOST_PIGGYBACKED


OWN, AGENT = IPv4Address("192.168.77.10"), IPv4Address("203.0.113.20")


def test_the_endpoints_of_a_capture_are_found_in_their_frames() -> None:
    def is_inside(frame: Frame) -> bool:
        return frame.source == OWN

    read, listeners = play(CAPTURES / "rec-osmo-mgw.pcap", Mgcp, is_inside)
    ports = {
        number: [each.port for each in places if isinstance(each, Found)] for number, places in read.items()
    }
    assert ports == {4: [4002], 10: [4002], 16: [4004]}
    ended = [each for listener in listeners for each in listener.ended]
    assert {port for _, port in ended} == {4002, 4003, 4004, 4005}


def test_names_of_endpoints_are_no_addresses() -> None:
    read, _ = play(CAPTURES / "ndpi-mgcp.pcap", Mgcp, lambda frame: frame.source_port == 2427)
    assert read == {}


def test_the_agent_s_own_messages_are_only_read() -> None:
    assert heard((OUTSIDE, answer(2, body=sdp(REMOTE, 5000))), CONNECT).places == []

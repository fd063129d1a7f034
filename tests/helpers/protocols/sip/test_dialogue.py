"""One session between a phone and its proxy: calls, registrations, and what passes between messages."""

import os

import pytest

from helpers.protocols.sip.sayings import (
    AUDIO,
    BOB,
    IN,
    OUT,
    PHONE,
    Heard,
    invite,
    of_media,
    request,
    response,
    sdp,
)
from nfmasq.helpers.kit.base import MOST_FOUND, Admitted
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, REMOTE, Listener
from nfmasq.helpers.protocols.sip import Sip
from nfmasq.helpers.protocols.sip.calls import MOST_CALLS

OWN = str(INTERNAL)
PAIR = [("udp", 6000), ("udp", 6001)]
TAGGED = f"{BOB};tag=bob"
LENGTH = str(len(sdp(*AUDIO)))
OFFER = [LENGTH, OWN, "6000"]
"""What is found in an INVITE with one pair of ports."""
ANSWER = sdp("m=audio 7000 RTP/AVP 0", host=REMOTE)
ASKED = request("INVITE", body=ANSWER)
"""The outside's INVITE."""


class TestMessagesThatMayDescribeMedia:
    """Offers and answers are made in calls (RFC 3264, 3261 section 13, 3262, 3311)."""

    def test_an_invite(self) -> None:
        assert Heard((IN, invite())).found == OFFER

    @pytest.mark.parametrize("status", [183, 180, 200])
    def test_an_answer_to_the_outside_s_invite(self, status: int) -> None:
        """Early media come with a provisional one."""
        heard = Heard((OUT, ASKED), (IN, response(status, "INVITE", body=sdp(*AUDIO))))
        assert heard.found == OFFER

    def test_an_ack_answers_an_offer_that_came_late(self) -> None:
        asking = request("INVITE"), response(200, "INVITE", body=ANSWER, to=TAGGED)
        heard = Heard((IN, asking[0]), (OUT, asking[1]), (IN, request("ACK", body=sdp(*AUDIO), to=TAGGED)))
        assert heard.found == OFFER

    @pytest.mark.parametrize("method", ["UPDATE", "PRACK"])
    def test_other_requests_within_a_call(self, method: str) -> None:
        again = request(method, number=2, body=sdp("m=audio 6000 RTP/AVP 0"))
        assert Heard((IN, invite()), (IN, again)).found == OFFER * 2

    @pytest.mark.parametrize("method", ["UPDATE", "PRACK"])
    def test_their_answers(self, method: str) -> None:
        asked = request(method, number=7, body=ANSWER)
        answered = response(200, method, number=7, body=sdp(*AUDIO))
        assert Heard((IN, request("INVITE")), (OUT, asked), (IN, answered)).found == OFFER

    @pytest.mark.parametrize("method", ["UPDATE", "PRACK", "ACK"])
    def test_none_outside_a_call(self, method: str) -> None:
        heard = Heard((IN, request(method, body=sdp(*AUDIO))))
        assert (heard.found, heard.left_alone) == ([], ["not_allowed"])

    def test_no_answer_to_what_was_not_asked(self) -> None:
        answer = IN, response(200, "INVITE", number=9, body=sdp(*AUDIO))
        for before in ((), ((OUT, ASKED),), ((IN, request("INVITE")),)):
            heard = Heard(*before, answer)
            assert (heard.found, heard.left_alone) == ([], ["not_allowed"])

    @pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "NOTIFY", "REGISTER", "BYE", "INFO"])
    def test_no_other_method(self, method: str) -> None:
        heard = Heard((IN, request("INVITE")), (IN, request(method, number=2, body=sdp(*AUDIO))))
        assert (heard.found, heard.left_alone) == ([], [])

    def test_what_the_outside_describes_is_only_read(self) -> None:
        assert not Heard((OUT, request("INVITE", body=sdp(*AUDIO)))).found


class TestTheEndOfMedia:
    """A call's ports end with it, unless another call has them, too."""

    TAKEN = (IN, invite()), (OUT, response(200, "INVITE", body=ANSWER, to=TAGGED))

    @pytest.mark.parametrize("side", [IN, OUT])
    def test_bye_ends_them(self, side: object) -> None:
        heard = Heard(*self.TAKEN, (side, request("BYE", number=2, to=TAGGED)))  # type: ignore[arg-type]
        assert heard.ended == PAIR

    @pytest.mark.parametrize("status", [300, 404, 486, 487, 500, 603])
    def test_a_call_that_is_not_taken_ends_them(self, status: int) -> None:
        """CANCEL brings a 487 to the INVITE."""
        assert Heard((IN, invite()), (OUT, response(status, "INVITE"))).ended == PAIR

    @pytest.mark.parametrize("status", [100, 180, 183, 401, 407, 422, 491])
    def test_a_call_that_goes_on_ends_nothing(self, status: int) -> None:
        """Also one that is asked for again, with credentials."""
        assert not Heard((IN, invite()), (OUT, response(status, "INVITE"))).ended

    def test_a_re_invite_that_is_refused_ends_nothing(self) -> None:
        again = request("INVITE", number=2, body=sdp(*AUDIO), to=TAGGED)
        assert not Heard(*self.TAKEN, (IN, again), (OUT, response(488, "INVITE", number=2, to=TAGGED))).ended

    def test_of_a_call_that_forked_the_last_dialog_ends_them(self) -> None:
        other = f"{BOB};tag=cal"
        forked = (*self.TAKEN, (OUT, response(200, "INVITE", body=ANSWER, to=other)))
        first = IN, request("BYE", number=2, to=other)
        assert not Heard(*forked, first).ended
        assert Heard(*forked, first, (IN, request("BYE", number=2, to=TAGGED))).ended == PAIR

    def test_a_port_that_another_call_has_goes_on(self) -> None:
        """SIPp has one port for all its calls."""
        heard = Heard(*self.TAKEN, (IN, invite(call="2@here")), (IN, request("BYE", number=2, to=TAGGED)))
        assert not heard.ended

    def test_the_bye_of_another_dialog_ends_nothing(self) -> None:
        assert not Heard(*self.TAKEN, (OUT, request("BYE", number=2, to=f"{BOB};tag=other"))).ended


class TestWhoMayComeToTheMedia:
    """From anyone until the other side has named its hosts, then from these alone."""

    RELAY = REMOTE.__class__("198.51.100.20")

    def offer(self, *lines: str, host: object = REMOTE) -> str:
        return sdp(*(lines or ("m=audio 7000 RTP/AVP 0",)), host=host)

    def test_in_a_call_that_goes_out_the_host_is_named_after_the_ports(self) -> None:
        heard = Heard((IN, invite()), (OUT, response(183, "INVITE", body=ANSWER)))
        assert heard.anyone == [True]
        assert heard.admitted == [Admitted(transport, port, REMOTE) for transport, port in PAIR]

    def test_in_a_call_that_comes_in_it_is_named_before_them(self) -> None:
        asked = request("INVITE", body=self.offer(host=self.RELAY))
        heard = Heard((OUT, asked), (IN, response(200, "INVITE", body=sdp(*AUDIO))))
        assert heard.anyone == [False]
        assert heard.admitted == [Admitted(transport, port, self.RELAY) for transport, port in PAIR]

    def test_where_the_offer_comes_late(self) -> None:
        late = response(200, "INVITE", body=self.offer(host=self.RELAY), to=TAGGED)
        heard = Heard((IN, request("INVITE")), (OUT, late), (IN, request("ACK", body=sdp(*AUDIO), to=TAGGED)))
        assert heard.anyone == [False]
        assert {each.remote for each in heard.admitted} == {self.RELAY}

    def test_media_that_are_added_later_are_not_open_to_anyone(self) -> None:
        more = request("INVITE", number=2, body=sdp(*AUDIO, "m=video 6002 RTP/AVP 31"), to=TAGGED)
        answer = response(200, "INVITE", body=self.offer(host=self.RELAY), to=TAGGED)
        heard = Heard((IN, invite()), (OUT, answer), (IN, more))
        assert heard.anyone == [True, False, False]
        assert {(each.port, each.remote) for each in heard.admitted} >= {
            (port, self.RELAY) for port in range(6000, 6004)
        }

    def test_a_call_that_is_taken_elsewhere(self) -> None:
        moved = request("INVITE", number=5, body=self.offer(host=self.RELAY))
        before = (IN, invite()), (OUT, response(183, "INVITE", body=ANSWER))
        first = [Admitted(transport, port, REMOTE) for transport, port in PAIR]
        again = [Admitted(transport, port, self.RELAY) for transport, port in PAIR]
        assert Heard(*before, (OUT, moved), (OUT, moved)).admitted == first + 2 * (again + first)


class TestAMessageIsTranslatedAsAWhole:
    """A server that sees a public phone does nothing for one behind a NAT: its media would be lost."""

    CONTACT = f"Contact: <sip:ann@{PHONE}>"

    @pytest.mark.parametrize(
        ("headers", "lines"),
        [
            ("", ["m=message 6000 TCP/MSRP *"]),
            ("", ["m=audio 6000/1 RTP/AVP 0"]),
            ("", ["m=audio 80 RTP/AVP 0"]),
            ("", ["m=audio 6000 RTP/AVP 0", "c=IN IP4 192.168.1.11"]),
            ('Authorization: Digest qop="auth-int"', AUDIO),
        ],
    )
    def test_headers_stay_with_a_description_that_stays(self, headers: str, lines: list[str]) -> None:
        more = [self.CONTACT, *([headers] if headers else [])]
        heard = Heard((IN, request("INVITE", *more, body=sdp(*lines))), mode="full")
        assert heard.found == []
        assert len(heard.left_alone) == 1

    def test_one_that_has_nothing_to_translate_is_no_obstacle(self) -> None:
        ice = sdp(*AUDIO, "a=ice-ufrag:abcd")
        heard = Heard((IN, request("INVITE", self.CONTACT, body=ice)), mode="full")
        assert heard.found == [PHONE, PHONE]

    def test_headers_and_description_are_written_all_or_none(self) -> None:
        text = request("INVITE", self.CONTACT, body=sdp(*AUDIO))
        helper = Sip(mode="full")
        assert helper.begin(Listener(helper, True).session).read(IN, text).whole == [(0, len(text))]

    @pytest.mark.parametrize("lines", [["m=audio 80 RTP/AVP 0"], ["m=message 6000 TCP/MSRP *"]])
    def test_a_dialog_goes_on_as_its_first_message_went(self, lines: list[str]) -> None:
        """The server matches an ACK by its Via, and calls back to the Contact that it knows."""
        refused = request("INVITE", self.CONTACT, body=sdp(*lines))
        after = request("ACK", to=f"{BOB};tag=1"), request("UPDATE", self.CONTACT, to=f"{BOB};tag=1")
        assert Heard((IN, refused), *((IN, each) for each in after), mode="full").found == []

    def test_a_dialog_that_began_translated_stays_so(self) -> None:
        begun = request("INVITE", self.CONTACT)
        refused = request("INVITE", self.CONTACT, number=2, body=sdp("m=audio 80 RTP/AVP 0"))
        after = request("UPDATE", self.CONTACT, number=3)
        assert Heard((IN, begun), (IN, refused), (IN, after), mode="full").found == [PHONE] * 4

    def test_an_answer_whose_body_cannot_be_read_is_heard_all_the_same(self) -> None:
        back = f"{EXTERNAL}:40000"
        answer = response(200, "INVITE", body=ANSWER, via=back, kind="multipart/mixed")
        asked = IN, request("INVITE", self.CONTACT, body=sdp(*AUDIO))
        heard = Heard(asked, (OUT, answer), mode="full")
        assert heard.found[-1] == back
        assert heard.left_alone == ["malformed"]

    @pytest.mark.parametrize("spoilt", [b"Via: SIP/2.0/UDP \r\n", b"Via: x\r\n"])
    def test_a_call_ends_though_its_end_cannot_be_read(self, spoilt: bytes) -> None:
        line = response(487, "INVITE").split(b"\r\n")[1] + b"\r\n"
        refused = response(487, "INVITE").replace(line, spoilt)
        asked = IN, request("INVITE", self.CONTACT, body=sdp(*AUDIO))
        heard = Heard(asked, (OUT, refused), mode="full")
        assert heard.ended == PAIR
        assert heard.left_alone == ["malformed"]


class TestTooManyHosts:
    """A reading lets in a bounded number of them, and goes on."""

    @staticmethod
    def parts(count: int, host: object) -> str:
        """So many descriptions in one body, of eight media each."""
        return (
            "".join(
                "--b\r\nContent-Type: application/sdp\r\n\r\n"
                + sdp(*(f"m=audio {10000 + 100 * part + 2 * nth} RTP/AVP 0" for nth in range(8)), host=host)
                + "\r\n"
                for part in range(count)
            )
            + "--b--\r\n"
        )

    def test_what_describes_more_is_left_alone(self) -> None:
        named = sdp(*(f"m=audio 7000 RTP/AVP 0\r\nc=IN IP4 198.51.100.{nth}" for nth in range(40, 44)))
        text = response(200, "INVITE", body=self.parts(6, INTERNAL), kind="multipart/mixed;boundary=b")
        for transport in ("udp", "tcp"):
            one = Heard((OUT, request("INVITE", body=named)), (IN, text), (IN, text), transport=transport)
            assert one.left_alone == ["not_allowed"] * 2
            assert (one.found, one.admitted) == ([], [])
            assert not one.listener.left

    def test_a_segment_with_many_descriptions_goes_on(self) -> None:
        begun = invite(*(f"m=audio {6000 + 2 * nth} RTP/AVP 0" for nth in range(8)))
        answers = response(183, "INVITE", body=sdp("m=audio 7000 RTP/AVP 0", host="198.51.100.40")) * 40
        one = Heard((IN, begun), (OUT, answers), transport="tcp")
        assert not one.listener.left
        assert len(one.admitted) == MOST_FOUND


class TestAMessageWithTooManyPlaces:
    """It is left alone; the next one is read."""

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_of_addresses(self, transport: str) -> None:
        connections = "\r\n".join([f"c=IN IP4 {OWN}"] * 300)
        heard = Heard((IN, invite(*AUDIO, connections)), (IN, invite(call="2@here")), transport=transport)
        assert heard.found == OFFER
        assert heard.left_alone == ["malformed"]
        assert not heard.listener.left

    def test_of_contacts_from_outside(self) -> None:
        contact = f"<sip:ann@{EXTERNAL}:40000>"
        listed = [f"Contact: {', '.join([contact] * 30)}"] * 10
        asked = IN, request("OPTIONS", f"Contact: <sip:ann@{PHONE}>")
        heard = Heard(asked, (OUT, response(200, "OPTIONS", *listed)), (IN, invite()), mode="full")
        assert heard.left_alone == ["not_allowed"]
        assert heard.listener.places

    def test_of_contacts_from_inside(self) -> None:
        listed = [f"Contact: {', '.join([f'<sip:ann@{PHONE}>'] * 30)}"] * 10
        more = request("INVITE", *listed, body=sdp(*AUDIO))
        heard = Heard((IN, more), (IN, invite(call="2@here")), mode="full")
        assert heard.left_alone == ["not_allowed"]
        assert heard.admitted == []
        assert heard.found


def test_media_of_many_calls_that_end_in_one_segment_end_all() -> None:
    """Those that one reading cannot name end with the next."""
    firsts = range(6000, 6320, 16)
    calls = [
        invite(*(f"m=audio {first + more} RTP/AVP 0" for more in range(0, 16, 2)), call=f"{first}@here")
        for first in firsts
    ]
    refused = b"".join(response(486, "INVITE", call=f"{first}@here") for first in firsts)
    said = *((IN, each) for each in calls), (OUT, refused), (OUT, request("OPTIONS"))
    assert sorted(port for _, port in Heard(*said, transport="tcp").ended) == list(range(6000, 6320))


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"hello",
        b"\0\1\0\0\x21\x12\xa4\x42" + b"i" * 12,
        b"\x80\0" + bytes(170),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        os.urandom(40),
    ],
    ids=repr,
)
def test_what_is_no_message_passes_and_the_next_one_is_read(datagram: bytes) -> None:
    heard = Heard((IN, datagram), (OUT, datagram), (IN, invite()))
    assert heard.listener.places
    assert not heard.left_alone


def test_empty_lines_may_stand_before_a_message() -> None:
    assert Heard((IN, b"\r\n\r\n" + invite())).found == OFFER


@pytest.mark.parametrize(
    "text",
    [
        invite().replace(b"CSeq: 1 INVITE\r\n", b""),
        invite().replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"),
        invite().replace(b"CSeq: 1 INVITE", b"CSeq: x INVITE"),
        invite().replace(b"Call-ID: 1@here\r\n", b""),
        invite().replace(b"Call-ID: 1@here\r\n", b"Call-ID: 1@here\r\ni: 2@here\r\n"),
        invite().replace(b"Via: ", b"Via"),
        invite().replace(b"From: ", b"Form: "),
        invite().replace(b"Content-Length: ", b"Content-Length: x"),
        invite().replace(b"Content-Length: ", b"Content-Length: 9"),
        invite().replace(b"Content-Length: ", b"Content-Length: 1\r\nl: "),
        invite().replace(b"\r\n\r\n", b"\r\n"),
        invite().replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n"),
        invite()[:200],
        b"INVITE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 300 + b"\r\n",
    ],
    ids=range(14),
)
def test_a_malformed_message_passes_and_is_counted(text: bytes) -> None:
    heard = Heard((IN, text), (IN, invite(call="2@here")))
    assert heard.found == OFFER
    assert heard.left_alone == ["malformed"]


def test_a_length_may_be_missing_on_udp() -> None:
    text = invite().replace(f"Content-Length: {LENGTH}\r\n".encode(), b"")
    assert Heard((IN, text)).found == [OWN, "6000"]


@pytest.mark.parametrize("line", ["c=IN IP4 192.168.1.11", "m=audio 80 RTP/AVP 0"])
def test_a_refused_description_is_counted(line: str) -> None:
    assert len(of_media(*AUDIO, line).left_alone) == 1


def test_the_calls_of_a_host_are_bounded() -> None:
    """The oldest is forgotten: a request before its dialog describes nothing any more."""
    calls = [(IN, invite(call=f"{nth}@here")) for nth in range(MOST_CALLS + 1)]
    again = request("UPDATE", number=2, body=sdp(*AUDIO), call="0@here")
    assert Heard(*calls, (IN, again)).left_alone == ["not_allowed"]

"""A phone has several sessions: a call and a registration go on in all of them, and after a restart."""

import pytest
from support.router import CLIENT, OTHER_SERVER, SERVER

from helpers.protocols.sip.phoning import HERE, Phoning, audio_port, called, contact, request_uri
from helpers.protocols.sip.sayings import BOB, Mode, request, response, sdp
from nfmasq.helpers.protocols.sip.phone import MOST_DECIDED, MOST_SOCKETS, MOST_USERS, Phone, Socket

PEER = OTHER_SERVER
"""Whom the phone calls through SERVER, and speaks to without it: nobody wrote Record-Route."""
TAGGED = f"{BOB};tag=bob"
OFFER = sdp("m=audio 6000 RTP/AVP 0", host=CLIENT)
ANSWER = sdp("m=audio 7000 RTP/AVP 0", host=PEER)
PLAIN = f"Contact: <sip:ann@{HERE}>"
MODES: list[Mode] = ["media", "full"]


def calling(bed: Phoning) -> int:
    """The phone's call has been taken: the external port of its media."""
    port = audio_port(bed.say(request("INVITE", PLAIN, body=OFFER, via=HERE)))
    bed.hear(response(200, "INVITE", body=ANSWER, via=HERE, to=TAGGED))
    return port


@pytest.mark.parametrize("mode", MODES)
class TestACallThatGoesOnElsewhere:
    """Without Record-Route ACK, UPDATE and BYE go straight to the peer (RFC 3261 section 12.2)."""

    @pytest.mark.parametrize("method", ["UPDATE", "PRACK", "INVITE"])
    def test_what_the_phone_describes_there_has_its_port(self, mode: Mode, method: str) -> None:
        bed = Phoning(mode)
        port = calling(bed)
        again = request(method, PLAIN, number=2, body=OFFER, via=HERE, to=TAGGED)
        heard = bed.say(again, PEER)
        assert str(CLIENT).encode() not in heard.partition(b"c=")[2]
        assert audio_port(heard) == port
        assert not bed.not_acted_on

    def test_the_answer_to_a_late_offer(self, mode: Mode) -> None:
        bed = Phoning(mode)
        bed.say(request("INVITE", PLAIN, via=HERE))
        bed.hear(response(200, "INVITE", body=ANSWER, via=HERE, to=TAGGED))
        port = audio_port(bed.say(request("ACK", PLAIN, body=OFFER, via=HERE, to=TAGGED), PEER))
        assert bed.is_open(port, PEER)

    @pytest.mark.parametrize("asked", ["UPDATE", "INVITE"])
    def test_the_answer_to_what_the_peer_asks_there(self, mode: Mode, asked: str) -> None:
        bed = Phoning(mode)
        port = calling(bed)
        bed.hear(called(f"sip:ann@{bed.abroad}", asked, number=7, body=ANSWER, to=TAGGED), PEER)
        answer = response(200, asked, PLAIN, number=7, body=OFFER, via=f"{PEER}:5060", to=TAGGED)
        assert audio_port(bed.say(answer, PEER)) == port

    @pytest.mark.parametrize("hangs_up", ["the phone", "the peer"])
    @pytest.mark.parametrize("has_begun", [False, True])
    def test_bye_there_ends_its_media(self, mode: Mode, hangs_up: str, has_begun: bool) -> None:
        bed = Phoning(mode)
        port = calling(bed)
        if has_begun:
            assert bed.is_open(port, PEER)
            bed.engine.tick()
        if hangs_up == "the phone":
            bed.say(request("BYE", number=3, via=HERE, to=TAGGED), PEER)
        else:
            bed.hear(called(f"sip:ann@{bed.abroad}", "BYE", number=3, to=TAGGED), PEER)
        assert not bed.is_open(port, PEER)
        assert not bed.engine.expectations()

    def test_a_host_that_is_named_there_is_let_in(self, mode: Mode) -> None:
        bed = Phoning(mode)
        port = calling(bed)
        moved = sdp("m=audio 7000 RTP/AVP 0", host=SERVER + 5)
        bed.hear(called(f"sip:ann@{bed.abroad}", "INVITE", number=7, body=moved, to=TAGGED), PEER)
        assert bed.is_open(port, SERVER + 5)
        assert not bed.is_open(port, SERVER + 6)

    def test_after_a_restart_a_request_of_its_dialog_describes_media(self, mode: Mode) -> None:
        bed = Phoning(mode)
        port = calling(bed)
        assert bed.is_open(port, PEER)
        bed.restart()
        update = request("UPDATE", PLAIN, number=2, body=OFFER, via=HERE, to=TAGGED)
        assert audio_port(bed.say(update)) == port

    def test_after_a_restart_one_outside_a_dialog_does_not(self, mode: Mode) -> None:
        bed = Phoning(mode)
        calling(bed)
        bed.restart()
        assert audio_port(bed.say(request("UPDATE", PLAIN, number=2, body=OFFER, via=HERE))) == 6000
        assert bed.not_acted_on == {"not_allowed": 1}


LEARNED = "Contact: <sip:ann@198.51.100.77:5256>"
FLOW = f"Contact: <sip:ann@{HERE};ob>"


def registered(bed: Phoning, *headers: str, user: str = "ann") -> str:
    """A phone has registered: its Contact as the registrar knows it."""
    name = f"{user}@registration"
    text = bed.say(request("REGISTER", *headers, via=HERE, call=name))
    bed.hear(response(200, "REGISTER", *headers, via=HERE, call=name))
    return contact(text)


def called_as(bed: Phoning, uri: str, call: str = "9@there", **by: object) -> str:
    """The Request-URI that the phone hears for this one."""
    return request_uri(bed.hear(called(uri, call=call), **by))  # type: ignore[arg-type]


class TestARegistrationInModeFull:
    """It is translated in all sessions of the phone, or in none."""

    @pytest.mark.parametrize("then", ["at once", "by another proxy", "after a restart", "both"])
    def test_calls_to_a_translated_contact(self, then: str) -> None:
        bed = Phoning("full")
        uri = registered(bed, PLAIN)
        assert uri == f"sip:ann@{bed.abroad}"
        by = PEER if then in {"by another proxy", "both"} else SERVER
        if then == "both":
            called_as(bed, uri, call="1@there", by=PEER)
        if then in {"after a restart", "both"}:
            bed.restart()
        assert called_as(bed, uri, by=by) == f"sip:ann@{HERE}"

    @pytest.mark.parametrize("then", ["at once", "by another proxy", "after a restart", "both"])
    @pytest.mark.parametrize("learns", ["by STUN", "a flow", "a GRUU"])
    def test_calls_to_one_that_traverses_nats_by_itself(self, learns: str, then: str) -> None:
        bed = Phoning("full")
        bed.say(request("OPTIONS", via=HERE))
        own = {"by STUN": "", "a flow": ";ob", "a GRUU": ";gr=urn:uuid:1"}[learns]
        uri = registered(bed, f"Contact: <sip:ann@{bed.abroad}{own}>")
        by = PEER if then in {"by another proxy", "both"} else SERVER
        if then == "both":
            called_as(bed, uri, call="1@there", by=PEER)
        if then in {"after a restart", "both"}:
            bed.restart()
        assert called_as(bed, uri, by=by) == uri

    def test_a_phone_that_has_shown_no_contact_yet_is_left_alone(self) -> None:
        """Its answer shows one, and the dialog goes on by that."""
        bed = Phoning("full")
        bed.say(request("OPTIONS", via=HERE))
        assert called_as(bed, f"sip:ann@{bed.abroad}") == f"sip:ann@{bed.abroad}"
        answer = response(200, "INVITE", PLAIN, via=f"{SERVER}:5060", call="9@there", to=TAGGED)
        assert contact(bed.say(answer)) == f"sip:ann@{bed.abroad}"
        assert called_as(bed, f"sip:ann@{bed.abroad}") == f"sip:ann@{HERE}"

    @pytest.mark.parametrize("plain_first", [True, False])
    def test_two_lines_of_either_kind(self, plain_first: bool) -> None:
        """One account has STUN, the other has not; both speak from one socket."""
        bed = Phoning("full")
        bed.say(request("OPTIONS", via=HERE))
        learned = f"Contact: <sip:bea@{bed.abroad}>"
        for headers, user in [(PLAIN, "ann"), (learned, "bea")][:: 1 if plain_first else -1]:
            registered(bed, headers, user=user)
        for by in (SERVER, PEER):
            assert called_as(bed, f"sip:ann@{bed.abroad}", call=f"1@{by}", by=by) == f"sip:ann@{HERE}"
            uri = f"sip:bea@{bed.abroad}"
            assert called_as(bed, uri, call=f"2@{by}", by=by) == uri
            stranger = f"sip:cal@{bed.abroad}"
            assert called_as(bed, stranger, call=f"3@{by}", by=by) == stranger

    @pytest.mark.parametrize("headers", [PLAIN, LEARNED])
    def test_an_exchange_is_called_by_numbers_that_it_did_not_register(self, headers: str) -> None:
        bed = Phoning("full")
        registered(bed, headers)
        expected = HERE if headers == PLAIN else bed.abroad
        assert called_as(bed, f"sip:+4912345@{bed.abroad}") == f"sip:+4912345@{expected}"

    def test_a_flow_or_a_gruu_of_another_line_is_never_changed(self) -> None:
        bed = Phoning("full")
        registered(bed, PLAIN)
        for own in (";ob", ";gr", ";transport=udp;ob;x=y"):
            uri = f"sip:bea@{bed.abroad}{own}"
            assert called_as(bed, uri, call=own) == uri

    def test_a_flood_of_requests_makes_no_phone_forgotten(self) -> None:
        bed = Phoning("full")
        uri = registered(bed, PLAIN)
        for nth in range(MOST_DECIDED + 10):
            bed.hear(called(uri, "OPTIONS", call=f"{nth}@there"), PEER)
        assert called_as(bed, uri) == f"sip:ann@{HERE}"

    def test_who_registers_a_learned_address_instead_is_left_alone_from_then_on(self) -> None:
        bed = Phoning("full")
        uri = registered(bed, PLAIN)
        registered(bed, f"Contact: <{uri}>")
        for restarted in (False, True):
            if restarted:
                bed.restart()
            assert called_as(bed, uri, call=f"{restarted}@there") == uri


class TestWhatIsKept:
    """All of it is bounded, and only the inside fills it."""

    def test_a_socket_s_contacts(self) -> None:
        socket = Socket()
        for nth in range(MOST_USERS + 1):
            socket.show([b"%d" % nth], is_translated=True, is_registered=True)
        socket.show([b"x"], is_translated=False, is_registered=True)
        known = [socket.is_translated([b"%d" % nth], 0) for nth in (0, 1, 2, MOST_USERS)]
        assert known == [None, None, True, True]

    def test_what_was_registered_counts_more_than_what_a_call_shows(self) -> None:
        socket = Socket()
        for is_translated, is_registered in [(True, True), (False, False)]:
            socket.show([b"ann"], is_translated=is_translated, is_registered=is_registered)
        assert socket.is_translated([b"ann"], 0)
        socket.show([b"ann"], is_translated=False, is_registered=True)
        assert socket.is_translated([b"ann"], 0) is False

    def test_a_phone_s_sockets_and_calls(self) -> None:
        phone = Phone()
        first = phone.socket("tcp", 1)
        assert phone.socket("tcp", 1) is first
        for nth in range(MOST_SOCKETS):
            phone.socket("udp", nth)
        assert phone.socket("tcp", 1) is not first
        for nth in range(MOST_DECIDED + 1):
            assert phone.decided(0) is (True if nth else None)
            phone.decide(0, is_translated=True)
            phone.decide(nth + 1, is_translated=False)
        assert (phone.decided(0), phone.decided(1), phone.decided(MOST_DECIDED)) == (True, None, False)

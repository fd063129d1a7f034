"""What is known of the calls of a host, and how much of it is kept."""

import tracemalloc
from ipaddress import IPv4Address

import pytest

from helpers.protocols.sip.sayings import AUDIO, BOB, invite, request, response, sdp
from nfmasq.helpers.kit.base import Found
from nfmasq.helpers.kit.listener import REMOTE
from nfmasq.helpers.protocols.sip.calls import MOST_CALLS, MOST_OPEN, MOST_REQUESTS, Calls
from nfmasq.helpers.protocols.sip.message import Message, read_message

STRANGER = IPv4Address("198.51.100.66")
TAGGED = f"{BOB};tag=bob"
MEDIA = Found(0, 4, None, 6000, lambda *_: b"", "udp")


def read(text: bytes) -> Message:
    """A message."""
    message = read_message(text, 0)
    assert message is not None
    return message


def begun(calls: int = 1) -> Calls:
    """So many calls, which the phone began."""
    made = Calls()
    for nth in range(calls):
        made.note_request(read(invite(call=f"{nth}@here")), REMOTE, from_outside=False)
    return made


def test_only_an_invite_begins_a_call() -> None:
    calls = Calls()
    calls.note_request(read(request("OPTIONS")), REMOTE, from_outside=False)
    assert not calls.may_describe(read(request("UPDATE")))


def test_the_oldest_call_gives_way() -> None:
    calls = begun(MOST_CALLS + 1)
    known = [calls.may_describe(read(request("UPDATE", call=f"{nth}@here"))) for nth in (0, 1, MOST_CALLS)]
    assert known == [False, True, True]


def test_the_oldest_question_of_a_call_is_forgotten() -> None:
    calls = Calls()
    for number in range(1, MOST_REQUESTS + 2):
        calls.note_request(read(request("INVITE", number=number)), REMOTE, from_outside=True)
    known = [
        calls.may_describe(read(response(200, "INVITE", number=each))) for each in (1, 2, MOST_REQUESTS + 1)
    ]
    assert known == [False, True, True]


def test_a_call_is_forgotten_when_it_ends() -> None:
    calls = begun()
    calls.note_media(read(invite(call="0@here")), [Found(0, 4, None, 6000, lambda *_: b"", "tcp")], REMOTE)
    calls.ended(read(response(200, "INVITE", call="0@here", to=f"{BOB};tag=1")), from_outside=True)
    bye = read(request("BYE", number=2, call="0@here", to=f"{BOB};tag=1"))
    assert calls.ended(bye, from_outside=False) == [("tcp", 6000)]
    assert calls.ended(bye, from_outside=False) == []
    assert not calls.may_describe(read(request("UPDATE", call="0@here")))


def take_up(calls: Calls, nth: object) -> None:
    """Let this call talk."""
    calls.ended(read(response(200, "INVITE", call=f"{nth}@here", to=TAGGED)), from_outside=True)


def is_known(calls: Calls, nth: object) -> bool:
    """Is this call stored?"""
    return calls.may_describe(read(request("UPDATE", call=f"{nth}@here")))


def ring(calls: Calls, nth: object, peer: IPv4Address, status: int) -> None:
    """A call of this host comes in, and the inside says this; 0: nothing."""
    calls.note_request(read(invite(call=f"{nth}@here")), peer, from_outside=True)
    if status:
        calls.ended(read(response(status, "INVITE", call=f"{nth}@here", to=TAGGED)), from_outside=False)


class TestItsInvites:
    """Each ends by its own answer. The call ends with the last one, if nobody has taken it up."""

    @staticmethod
    def forked(count: int, *, from_outside: bool) -> Calls:
        """A call with so many INVITEs."""
        calls = Calls()
        for nth in range(count):
            calls.note_request(read(branched(invite(call="0@here"), nth)), REMOTE, from_outside=from_outside)
        calls.note_media(read(invite(call="0@here")), [MEDIA], REMOTE)
        return calls

    @pytest.mark.parametrize("from_outside", [True, False], ids=["comes in", "goes out"])
    @pytest.mark.parametrize("count", [2, 3, MOST_OPEN])
    @pytest.mark.parametrize("status", [302, 404, 480, 482, 486, 487, 503, 603])
    def test_the_call_ends_with_the_last(self, status: int, count: int, *, from_outside: bool) -> None:
        calls = self.forked(count, from_outside=from_outside)
        refused = [
            calls.ended(
                read(branched(response(status, "INVITE", call="0@here", to=f"{BOB};tag={nth}"), nth)),
                from_outside=not from_outside,
            )
            for nth in reversed(range(count))
        ]
        assert refused == [[]] * (count - 1) + [[("udp", 6000)]]

    @pytest.mark.parametrize("order", [[200, 487], [487, 200], [183, 486, 200], [200, 200, 487]])
    def test_who_takes_it_up_keeps_it(self, order: list[int]) -> None:
        calls = self.forked(len(order), from_outside=True)
        for nth, status in enumerate(order):
            said = branched(response(status, "INVITE", call="0@here", to=f"{BOB};tag={nth}"), nth)
            assert calls.ended(read(said), from_outside=False) == []
        assert is_known(calls, 0)

    def test_an_answer_that_comes_again_ends_no_other(self) -> None:
        calls = self.forked(2, from_outside=True)
        for _ in range(3):
            said = branched(response(486, "INVITE", call="0@here", to=TAGGED), 1)
            assert calls.ended(read(said), from_outside=False) == []

    def test_a_server_that_never_answers_keeps_no_call(self) -> None:
        calls = self.forked(2, from_outside=False)
        taken = branched(response(200, "INVITE", call="0@here", to=TAGGED), 1)
        assert calls.ended(read(taken), from_outside=True) == []
        bye = read(request("BYE", number=2, call="0@here", to=TAGGED))
        assert calls.ended(bye, from_outside=False) == [("udp", 6000)]

    @pytest.mark.parametrize("status", [401, 407, 422, 491])
    def test_the_inside_asks_again_and_the_outside_begins_anew(self, status: int) -> None:
        for from_outside in (True, False):
            calls = self.forked(1, from_outside=not from_outside)
            said = branched(response(status, "INVITE", call="0@here", to=TAGGED), 0)
            assert bool(calls.ended(read(said), from_outside=from_outside)) is not from_outside

    def test_of_senders_that_write_no_branch_the_cseq_tells(self) -> None:
        calls = Calls()
        for number in (1, 2):
            asked = request("INVITE", number=number, call="0@here").replace(b";branch=z9hG4bK1", b"")
            calls.note_request(read(asked), REMOTE, from_outside=True)
        for number, is_over in ((1, False), (2, True)):
            said = response(486, "INVITE", number=number, call="0@here", to=TAGGED)
            calls.ended(read(said.replace(b";branch=z9hG4bK1", b"")), from_outside=False)
            assert is_known(calls, 0) is not is_over


def branched(text: bytes, nth: int) -> bytes:
    """A message of the nth transaction, behind another proxy."""
    return text.replace(b"z9hG4bK1", b"z9hG4bK-%d" % nth)


class TestRoom:
    """A host's calls are bounded. Those that talk stay longest."""

    def test_a_call_that_does_not_talk_gives_way_first(self) -> None:
        calls = begun(MOST_CALLS)
        for nth in range(MOST_CALLS - 2):
            take_up(calls, nth)
        calls.note_media(read(invite(call=f"{MOST_CALLS - 2}@here")), [MEDIA], REMOTE)
        for new, gone in [("new", MOST_CALLS - 1), ("newer", MOST_CALLS - 2)]:
            calls.note_request(read(invite(call=f"{new}@here")), REMOTE, from_outside=True)
            take_up(calls, new)
            assert not is_known(calls, gone)
        assert all(is_known(calls, nth) for nth in range(MOST_CALLS - 2))
        calls.note_request(read(invite(call="newest@here")), REMOTE, from_outside=True)
        assert [is_known(calls, nth) for nth in (0, 1)] == [False, True]

    def test_a_flood_from_outside_ends_no_call_that_talks(self) -> None:
        calls = begun()
        take_up(calls, 0)
        for nth in range(MOST_CALLS):
            for method in ("INVITE", "UPDATE", "ACK"):
                asked = read(request(method, call=f"{nth}{method}@there", to=TAGGED))
                calls.note_request(asked, REMOTE, from_outside=True)
        assert is_known(calls, 0)

    @pytest.mark.parametrize("status", [0, 100, 180, 183, 401, 404, 407, 603])
    def test_a_stranger_s_flood_ends_no_call_that_rings(self, status: int) -> None:
        """Whatever the inside answers to the stranger."""
        calls = Calls()
        ring(calls, "real", REMOTE, 180)
        for nth in range(2 * MOST_CALLS):
            ring(calls, nth, STRANGER, status)
        assert is_known(calls, "real")

    def test_of_what_is_not_heeded_the_greediest_loses(self) -> None:
        calls = Calls()
        ring(calls, "real", REMOTE, 100)
        for nth in range(2 * MOST_CALLS):
            ring(calls, nth, STRANGER, 100)
        assert is_known(calls, "real")
        assert is_known(calls, 2 * MOST_CALLS - 1)

    def test_strangers_who_are_taken_up_end_no_call_of_another_host(self) -> None:
        """A machine answers them."""
        calls = Calls()
        ring(calls, "real", REMOTE, 180)
        take_up(calls, "real")
        for nth in range(2 * MOST_CALLS):
            ring(calls, nth, STRANGER, 200)
        assert is_known(calls, "real")

    def test_long_identifiers_take_no_more_room_than_short_ones(self) -> None:
        assert room_of_names(7000) < 2 * room_of_names(7)


def room_of_names(length: int) -> int:
    """Bytes for calls whose identifiers are so long."""
    tracemalloc.start()
    calls = Calls()
    for nth in range(64):
        name = f"{nth}@{'x' * length}"
        for number in range(8):
            calls.note_request(read(request("INVITE", number=number, call=name)), REMOTE, from_outside=True)
            tagged = f"{BOB};tag={number}{'x' * length}"
            calls.ended(read(response(200, "INVITE", number=number, call=name, to=tagged)), from_outside=True)
    taken_up, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken_up


class TestARequestOfADialogThatIsNotKnown:
    """After a restart, or past the bound, it makes its call known again."""

    @pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK", "ACK"])
    def test_the_inside_s(self, method: str) -> None:
        calls = Calls()
        asked = read(request(method, to=TAGGED, body=sdp(*AUDIO)))
        calls.note_request(asked, REMOTE, from_outside=False)
        assert calls.may_describe(asked)
        calls.note_media(asked, [MEDIA], REMOTE)
        assert calls.ended(read(request("BYE", number=2, to=f"{BOB};tag=other")), from_outside=False) == []
        assert calls.ended(read(response(488, "INVITE", to=TAGGED)), from_outside=True) == []
        assert calls.ended(read(request("BYE", number=2, to=TAGGED)), from_outside=False) == [("udp", 6000)]

    @pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK"])
    def test_the_outside_s(self, method: str) -> None:
        calls = Calls()
        calls.note_request(read(request(method, to=TAGGED)), REMOTE, from_outside=True)
        assert calls.may_describe(read(response(200, method, to=TAGGED)))

    @pytest.mark.parametrize("from_outside", [True, False])
    def test_no_ack_without_a_description(self, *, from_outside: bool) -> None:
        """One follows each call that failed."""
        calls = begun()
        failed = response(486, "INVITE", call="0@here", to=TAGGED)
        calls.ended(read(failed), from_outside=not from_outside)
        calls.note_request(read(request("ACK", call="0@here", to=TAGGED)), REMOTE, from_outside=from_outside)
        assert not is_known(calls, 0)

    @pytest.mark.parametrize("method", ["OPTIONS", "BYE", "INFO", "MESSAGE", "REFER"])
    def test_no_other_method(self, method: str) -> None:
        calls = Calls()
        calls.note_request(read(request(method, to=TAGGED)), REMOTE, from_outside=False)
        assert not calls.may_describe(read(request("UPDATE", to=TAGGED)))

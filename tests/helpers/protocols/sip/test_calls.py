"""What is known of the calls of a host, and how much of it is kept."""

import tracemalloc

import pytest

from helpers.protocols.sip.sayings import BOB, invite, request, response
from nfmasq.helpers.kit.base import Found
from nfmasq.helpers.kit.listener import REMOTE
from nfmasq.helpers.protocols.sip.calls import MOST_CALLS, MOST_REQUESTS, Calls
from nfmasq.helpers.protocols.sip.message import Message, read_message

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
        made.note_request(read(invite(call=f"{nth}@here")), from_outside=False)
    return made


def test_only_an_invite_begins_a_call() -> None:
    calls = Calls()
    calls.note_request(read(request("OPTIONS")), from_outside=False)
    assert not calls.may_describe(read(request("UPDATE")))


def test_the_oldest_call_gives_way() -> None:
    calls = begun(MOST_CALLS + 1)
    known = [calls.may_describe(read(request("UPDATE", call=f"{nth}@here"))) for nth in (0, 1, MOST_CALLS)]
    assert known == [False, True, True]


def test_the_oldest_question_of_a_call_is_forgotten() -> None:
    calls = Calls()
    for number in range(1, MOST_REQUESTS + 2):
        calls.note_request(read(request("INVITE", number=number)), from_outside=True)
    known = [
        calls.may_describe(read(response(200, "INVITE", number=each))) for each in (1, 2, MOST_REQUESTS + 1)
    ]
    assert known == [False, True, True]


def test_a_call_is_forgotten_when_it_ends() -> None:
    calls = begun()
    calls.note_media(read(invite(call="0@here")), [Found(0, 4, None, 6000, lambda *_: b"", "tcp")], REMOTE)
    calls.ended(read(response(200, "INVITE", call="0@here", to=f"{BOB};tag=1")))
    bye = read(request("BYE", number=2, call="0@here", to=f"{BOB};tag=1"))
    assert calls.ended(bye) == [("tcp", 6000)]
    assert calls.ended(bye) == []
    assert not calls.may_describe(read(request("UPDATE", call="0@here")))


def take_up(calls: Calls, nth: object) -> None:
    """Let this call talk."""
    calls.ended(read(response(200, "INVITE", call=f"{nth}@here", to=TAGGED)))


def is_known(calls: Calls, nth: object) -> bool:
    """Is this call stored?"""
    return calls.may_describe(read(request("UPDATE", call=f"{nth}@here")))


class TestRoom:
    """A host's calls are bounded. Those that talk stay longest."""

    def test_a_call_that_does_not_talk_gives_way_first(self) -> None:
        calls = begun(MOST_CALLS)
        for nth in range(MOST_CALLS - 2):
            take_up(calls, nth)
        calls.note_media(read(invite(call=f"{MOST_CALLS - 2}@here")), [MEDIA], REMOTE)
        for new, gone in [("new", MOST_CALLS - 1), ("newer", MOST_CALLS - 2)]:
            calls.note_request(read(invite(call=f"{new}@here")), from_outside=True)
            take_up(calls, new)
            assert not is_known(calls, gone)
        assert all(is_known(calls, nth) for nth in range(MOST_CALLS - 2))
        calls.note_request(read(invite(call="newest@here")), from_outside=True)
        assert [is_known(calls, nth) for nth in (0, 1)] == [False, True]

    def test_a_flood_from_outside_ends_no_call_that_talks(self) -> None:
        calls = begun()
        take_up(calls, 0)
        for nth in range(MOST_CALLS):
            for method in ("INVITE", "UPDATE", "ACK"):
                asked = read(request(method, call=f"{nth}{method}@there", to=TAGGED))
                calls.note_request(asked, from_outside=True)
        assert is_known(calls, 0)

    def test_long_identifiers_take_no_more_room_than_short_ones(self) -> None:
        assert room_of_names(7000) < 2 * room_of_names(7)


def room_of_names(length: int) -> int:
    """Bytes for calls whose identifiers are so long."""
    tracemalloc.start()
    calls = Calls()
    for nth in range(64):
        name = f"{nth}@{'x' * length}"
        for number in range(8):
            calls.note_request(read(request("INVITE", number=number, call=name)), from_outside=True)
            tagged = f"{BOB};tag={number}{'x' * length}"
            calls.ended(read(response(200, "INVITE", number=number, call=name, to=tagged)))
    taken_up, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken_up


class TestARequestOfADialogThatIsNotKnown:
    """After a restart, or past the bound, it makes its call known again."""

    @pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK", "ACK"])
    def test_the_inside_s(self, method: str) -> None:
        calls = Calls()
        asked = read(request(method, to=TAGGED))
        calls.note_request(asked, from_outside=False)
        assert calls.may_describe(asked)
        calls.note_media(asked, [MEDIA], REMOTE)
        assert calls.ended(read(request("BYE", number=2, to=f"{BOB};tag=other"))) == []
        assert calls.ended(read(response(488, "INVITE", to=TAGGED))) == []
        assert calls.ended(read(request("BYE", number=2, to=TAGGED))) == [("udp", 6000)]

    @pytest.mark.parametrize("method", ["INVITE", "UPDATE", "PRACK"])
    def test_the_outside_s(self, method: str) -> None:
        calls = Calls()
        calls.note_request(read(request(method, to=TAGGED)), from_outside=True)
        assert calls.may_describe(read(response(200, method, to=TAGGED)))

    @pytest.mark.parametrize("method", ["OPTIONS", "BYE", "INFO", "MESSAGE", "REFER"])
    def test_no_other_method(self, method: str) -> None:
        calls = Calls()
        calls.note_request(read(request(method, to=TAGGED)), from_outside=False)
        assert not calls.may_describe(read(request("UPDATE", to=TAGGED)))

"""What is known of the calls of a session, and how much of it is kept."""

from helpers.protocols.sip.sayings import BOB, invite, request, response
from nfmasq.helpers.kit.base import Found
from nfmasq.helpers.kit.listener import REMOTE
from nfmasq.helpers.protocols.sip.calls import MOST_CALLS, MOST_REQUESTS, Calls
from nfmasq.helpers.protocols.sip.message import Message, read_message


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

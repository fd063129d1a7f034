"""The contract test of helpers: what the engine counts on, tried on any helper, by pytest or by hand.

    python -m nfmasq.helpers NAME        a helper that is installed, or module:Class of one that is not
    pytest:  @pytest.mark.parametrize("clause", trial.CLAUSES, ids=trial.name_of)
             def test_contract(clause): clause(Meet())

A helper may carry conversations to try it with, of a session that the internal host began (`examples`) and
of one that came in by a forward (`examples_from_outside`): sequences of (Side, bytes). In them the internal
host is 192.168.1.10 and the remote one 203.0.113.10. Without any only random bytes are tried.

A clause that is broken raises Broken, which names what was read. Every run tries the same.
"""

import random
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any

from nfmasq.helpers.kit.base import Helper, Named, Place, Refusal, Side
from nfmasq.helpers.kit.listener import HELD, Broken, Conversation, Listener, shown

__all__ = ["CLAUSES", "Broken", "Clause", "name_of"]

LONG = 1 << 16
"""Bytes of the longest stream that is read at once."""
OTHERS = [
    (IPv4Address("203.0.113.2"), 40000),
    (IPv4Address("198.51.100.254"), 65535),
    (IPv4Address("9.0.0.1"), 1024),
]
"""Endpoints put in the place of what was found: an ordinary one, the longest and the shortest."""

ROUNDS = 200

Clause = Callable[[Helper], None]
"""A part of the contract; raises Broken."""


def keeps_still_on_random_bytes(helper: Helper) -> None:
    """Nothing that comes makes it raise, loop, or say what cannot be."""
    chance = random.Random(2663)
    for _ in range(ROUNDS):
        listener = Listener(helper, chance.random() < 0.5)
        for _ in range(chance.randrange(1, 8)):
            listener.hear(chance.choice(list(Side)), chance.randbytes(chance.randrange(200)))


def keeps_still_on_spoilt_examples(helper: Helper) -> None:
    """Its own examples, with bytes changed, lost, doubled and moved, make it neither raise nor loop."""
    chance = random.Random(5382)
    for inside_began, conversation in conversations(helper):
        for _ in range(ROUNDS):
            listener = Listener(helper, inside_began)
            for side, text in conversation:
                listener.hear(side, _spoilt(text, chance) if chance.random() < 0.4 else text)


def reads_alike_however_cut(helper: Helper) -> None:
    """Whatever the segments: the same is found at the same places, and the same is left."""
    if helper.transport == "udp":
        return
    chance = random.Random(793)
    for inside_began, conversation in conversations(helper):
        whole = Listener(helper, inside_began).hear_all(conversation)
        for number in range(ROUNDS):
            cut = Listener(helper, inside_began)
            for side, text in conversation:
                for piece in _pieces(text, chance) if number else (bytes([byte]) for byte in text):
                    cut.hear(side, piece)
            if _summary(cut) != _summary(whole):
                raise Broken(f"cut otherwise, it reads {_summary(cut)}; whole, it reads {_summary(whole)}")


def finds_its_examples(helper: Helper) -> None:
    """There is something to find in its examples, all of which it takes, and none of which ends it."""
    spoken = list(conversations(helper))
    listeners = [
        Listener(helper, inside_began).hear_all(conversation) for inside_began, conversation in spoken
    ]
    for listener, (_, conversation) in zip(listeners, spoken, strict=True):
        if listener.left:
            raise Broken(f"it leaves in the middle of its example {conversation!r}")
        if any(listener.waiting.values()):
            raise Broken(f"at the end of its example it still holds {listener.waiting!r}")
    if spoken and not any(listener.places for listener in listeners):
        raise Broken("nothing is found in its examples")


def finds_again_what_it_writes(helper: Helper) -> None:
    """With another endpoint written where one was found, the same is found with that endpoint."""
    for inside_began, conversation in conversations(helper):
        before = Listener(helper, inside_began).hear_all(conversation)
        for other in OTHERS:
            rewritten = list(_rewritten(conversation, before, other))
            after = Listener(helper, inside_began, other[0]).hear_all(rewritten)
            if len(after.places) != len(before.places):
                raise Broken(
                    f"of {len(before.places)} endpoints {len(after.places)} are found in {rewritten!r}"
                )
            for was, now in zip(before.places, after.places, strict=True):
                _compare(was.what, now.what, other, rewritten)


def is_done_soon(helper: Helper) -> None:
    """Long streams without sense, made of what its examples are made of, take it a bounded time."""
    said = {text for _, conversation in conversations(helper) for _, text in conversation}
    ends = {bytes([byte]) for text in said for byte in text} | {b"\0", b"\xff", b"\r", b"\n", b" "}
    streams = [end * LONG for end in sorted(ends)]
    streams += [
        text[:length] * (HELD // length) + b"9" * HELD
        for text in sorted(said)
        for length in range(2, len(text))
    ]
    for inside_began, conversation in [*conversations(helper), (True, ())]:
        for stream in streams:
            for side in Side:
                Listener(helper, inside_began).hear_all(conversation).hear(side, stream)


CLAUSES: tuple[Clause, ...] = (
    keeps_still_on_random_bytes,
    keeps_still_on_spoilt_examples,
    reads_alike_however_cut,
    finds_its_examples,
    finds_again_what_it_writes,
    is_done_soon,
)


def name_of(clause: Clause) -> str:
    """A clause in words."""
    return clause.__name__.replace("_", " ")


def conversations(helper: Helper) -> Iterator[tuple[bool, Conversation]]:
    """The examples a helper carries, and whether the internal host began the session."""
    for inside_began, name in ((True, "examples"), (False, "examples_from_outside")):
        if conversation := getattr(helper, name, ()):
            yield inside_began, conversation


def _rewritten(conversation: Conversation, heard: Listener, other: tuple[IPv4Address, int]) -> Conversation:
    """The conversation with another endpoint in every place; it goes where the old one began."""
    at, rewritten = dict.fromkeys(Side, 0), []
    for side, text in conversation:
        begin, end, written = at[side], at[side] + len(text), b""
        done = begin
        for place in heard.places:
            if place.side is not side or place.end <= begin or place.start >= end:
                continue
            if place.start >= begin:
                was = text[place.start - begin : place.end - begin]
                written += text[done - begin : place.start - begin] + _write(place.what, other, was)
            done = min(place.end, end)
        rewritten.append((side, written + text[done - begin :]))
        at[side] = end
    return rewritten


def _write(what: Place, other: tuple[IPv4Address, int], was: bytes) -> bytes:
    address, port = other
    try:
        new: object = what.write(address, 0 if isinstance(what, Named) else port)
    except Refusal:
        return was
    except Exception as error:
        raise Broken(f"write{other} raises {error!r}, of {shown(was)}") from error
    if not isinstance(new, bytes):
        raise Broken(f"write must return bytes, not {new!r}")
    return new


def _compare(was: Place, now: Place, other: tuple[IPv4Address, int], rewritten: Conversation) -> None:
    expected = _facts(was)
    new = {"address": other[0], "port": other[1]}
    expected |= {name: value for name, value in new.items() if expected.get(name) is not None}
    if _facts(now) != expected:
        raise Broken(f"instead of {expected} it finds {_facts(now)} in {rewritten!r}")


def _facts(what: Place) -> dict[str, Any]:
    skipped = {"start", "end", "write"}
    return {"kind": type(what).__name__} | {
        name: value for name, value in what._asdict().items() if name not in skipped
    }


def _summary(listener: Listener) -> dict[str, object]:
    places = [(place.side, place.start, place.end, _facts(place.what)) for place in listener.places]
    return {
        "found": places,
        "refused": listener.refused,
        "left": listener.left,
        "waiting": listener.waiting,
    }


def _pieces(text: bytes, chance: random.Random) -> Iterator[bytes]:
    while text:
        length = chance.randrange(1, len(text) + 1)
        yield text[:length]
        text = text[length:]


def _spoilt(text: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randrange(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.randrange(1, 9)
        piece = text[at : at + length]
        new = chance.choice(
            (b"", piece * 2, piece * 40, chance.randbytes(length), b"9" * length, b"\0", b"\n")
        )
        text = text[:at] + new + text[at + length :]
    return text

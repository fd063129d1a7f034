"""The contract test of helpers: what the engine relies on, tried on any helper, by pytest or by hand.

    python -m nfmasq.helpers NAME        a helper that is installed, or module:Class of one that is not
    pytest:  @pytest.mark.parametrize("clause", trial.CLAUSES, ids=trial.name_of)
             def test_contract(clause): clause(Meet())

A helper may carry examples: of a session that the internal host began (`examples`), and of a session that
came in by a forward (`examples_from_outside`). Each is a sequence of (Side, bytes). The internal host in them
is 192.168.1.10, and the remote one 203.0.113.10. Over UDP each is a datagram; a helper of both transports is
tried with both, so each of its bytes is a whole message. Where such a message has a length before it on TCP,
the helper has `framed(message)`, which writes that. Without examples only random bytes are tried.

A broken clause raises Broken, which shows the bytes that were read. Every run tries the same bytes.
"""

import random
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any

from nfmasq.helpers.kit.base import MOST_UNTAKEN, Helper, Named, Place, Side, Size, longest_of, transports_of
from nfmasq.helpers.kit.listener import Broken, Example, Listener
from nfmasq.helpers.kit.rewriting import rewritten, written_for

__all__ = ["CLAUSES", "Broken", "Clause", "name_of"]

LONG = 1 << 16
"""Bytes of the longest stream that is given in one call."""
OTHERS = [
    (IPv4Address("203.0.113.2"), 40000),
    (IPv4Address("198.51.100.254"), 65535),
    (IPv4Address("9.0.0.1"), 1024),
]
"""Endpoints that are written in place of the found ones: an ordinary one, the longest and the shortest."""

ROUNDS = 200

Clause = Callable[[Helper], None]
"""A part of the contract; raises Broken."""


def survives_random_bytes(helper: Helper) -> None:
    """No bytes make it raise, loop, or return an impossible reading."""
    chance = random.Random(2663)
    for _ in range(ROUNDS):
        inside_began = chance.random() < 0.5
        listener = Listener(helper, inside_began, transport=chance.choice(transports_of(helper)))
        for _ in range(chance.randrange(1, 8)):
            listener.hear(chance.choice(list(Side)), chance.randbytes(chance.randrange(200)))


def survives_spoilt_examples(helper: Helper) -> None:
    """Its own examples, with bytes changed, lost, doubled and moved, make it neither raise nor loop.

    What it finds in them can be written with another endpoint, sizes included.
    """
    chance = random.Random(5382)
    for transport, inside_began, example in examples(helper):
        for nth in range(ROUNDS):
            listener = Listener(helper, inside_began, transport=transport)
            said = [
                (side, _spoilt(text, chance) if chance.random() < 0.4 else text) for side, text in example
            ]
            rewritten(said, listener.hear_all(said), OTHERS[nth % len(OTHERS)])


def reads_alike_however_cut(helper: Helper) -> None:
    """Whatever the segments are, it finds the same endpoints at the same places, and takes the same."""
    chance = random.Random(793)
    for transport, inside_began, example in examples(helper):
        if transport != "tcp":
            continue
        whole = Listener(helper, inside_began, transport="tcp").hear_all(example)
        for number in range(ROUNDS):
            cut = Listener(helper, inside_began, transport="tcp")
            for side, text in example:
                for piece in _pieces(text, chance) if number else (bytes([byte]) for byte in text):
                    cut.hear(side, piece)
            if _summary(cut) != _summary(whole):
                raise Broken(f"cut otherwise, it reads {_summary(cut)}; whole, it reads {_summary(whole)}")


def finds_its_examples(helper: Helper) -> None:
    """It finds an endpoint in its examples, takes all their bytes, and leaves in none of them."""
    spoken = list(examples(helper))
    listeners = [
        Listener(helper, inside_began, transport=transport).hear_all(example)
        for transport, inside_began, example in spoken
    ]
    for listener, (_, _, example) in zip(listeners, spoken, strict=True):
        if listener.left:
            raise Broken(f"it leaves in the middle of its example {example!r}")
        if any(listener.waiting.values()):
            raise Broken(f"at the end of its example it still does not take {listener.waiting!r}")
    if spoken and not any(listener.places for listener in listeners):
        raise Broken("nothing is found in its examples")


def reads_what_it_writes(helper: Helper) -> None:
    """Where another endpoint is written, it finds the same as before with that endpoint."""
    for transport, inside_began, example in examples(helper):
        before = Listener(helper, inside_began, transport=transport).hear_all(example)
        for other in OTHERS:
            changed = rewritten(example, before, other)
            names_port = any(isinstance(each.what, Named) and each.what.port for each in before.places)
            after = Listener(
                helper, inside_began, other[0], transport, port=other[1] if names_port else 0
            ).hear_all(changed)
            if len(after.places) != len(before.places):
                raise Broken(
                    f"of {len(before.places)} endpoints {len(after.places)} are found in {changed!r}"
                )
            for was, now in zip(before.places, after.places, strict=True):
                _compare(was.what, now.what, other, changed)


def sizes_say_how_long_their_parts_are(helper: Helper) -> None:
    """The text of a size is what it writes for the length of its part, whichever endpoints are written."""
    for transport, inside_began, example in examples(helper):
        before = Listener(helper, inside_began, transport=transport).hear_all(example)
        _compare_sizes(before, example)
        for other in OTHERS:
            changed = rewritten(example, before, other)
            _compare_sizes(Listener(helper, inside_began, other[0], transport).hear_all(changed), changed)


def is_done_soon(helper: Helper) -> None:
    """Long nonsense, made of pieces of its examples, takes a bounded time."""
    said = {text for _, _, example in examples(helper) for _, text in example}
    ends = {bytes([byte]) for text in said for byte in text} | {b"\0", b"\xff", b"\r", b"\n", b" "}
    streams = [end * LONG for end in sorted(ends)]
    most = longest_of(helper)
    streams += [
        text[:length] * (most // length) + b"9" * MOST_UNTAKEN
        for text in sorted(said)
        for length in range(2, len(text))
    ]
    silent = [(transport, True, ()) for transport in transports_of(helper)]
    for transport, inside_began, example in [*examples(helper), *silent]:
        for stream in streams:
            for side in Side:
                heard = Listener(helper, inside_began, transport=transport).hear_all(example)
                heard.hear(side, stream)


CLAUSES: tuple[Clause, ...] = (
    survives_random_bytes,
    survives_spoilt_examples,
    reads_alike_however_cut,
    finds_its_examples,
    reads_what_it_writes,
    sizes_say_how_long_their_parts_are,
    is_done_soon,
)


def name_of(clause: Clause) -> str:
    """A clause in words."""
    return clause.__name__.replace("_", " ")


def examples(helper: Helper) -> Iterator[tuple[str, bool, Example]]:
    """The examples that a helper carries, each with its transport and whether the internal host began."""
    framed = getattr(helper, "framed", None)
    for transport in transports_of(helper):
        for inside_began, name in ((True, "examples"), (False, "examples_from_outside")):
            if example := getattr(helper, name, ()):
                if transport == "tcp" and framed is not None:
                    example = [(side, framed(text)) for side, text in example]
                yield transport, inside_began, example


def _compare(was: Place, now: Place, other: tuple[IPv4Address, int], changed: Example) -> None:
    expected = _facts(was)
    if not isinstance(was, Size):
        address, port = written_for(was, other)
        expected |= {"port": port} | ({"address": address} if was.address is not None else {})
    if _facts(now) != expected:
        raise Broken(f"instead of {expected} it finds {_facts(now)} in {changed!r}")


def _compare_sizes(heard: Listener, example: Example) -> None:
    said = {side: b"".join(text for who, text in example if who is side) for side in Side}
    for place in heard.places:
        size, there = place.what, said[place.side][place.start : place.end]
        if isinstance(size, Size) and size.write(size.until - size.begin) != there:
            right = size.write(size.until - size.begin)
            raise Broken(f"a size says {there!r} where its part has {right!r} bytes, in {example!r}")


def _facts(what: Place) -> dict[str, Any]:
    skipped = {"start", "end", "write", "begin", "until", "note", "apart"}
    return {"kind": type(what).__name__} | {
        name: value for name, value in what._asdict().items() if name not in skipped
    }


def _summary(listener: Listener) -> dict[str, object]:
    places = [(place.side, place.start, place.end, _facts(place.what)) for place in listener.places]
    return {
        "found": places,
        "not_acted_on": listener.not_acted_on,
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

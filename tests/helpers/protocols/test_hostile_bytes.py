"""64 KB of each helper's own words, said again and again, cost a bounded number of steps.

A step is a call of a function, Python's or C's. Each text is said over and over behind its example. A stream
is read as the engine reads it, 4096 bytes at a time; a datagram is as long as it can be.
"""

import sys
from collections.abc import Iterator
from types import FrameType

import pytest

from nfmasq.helpers import protocols, registry
from nfmasq.helpers.kit import trial
from nfmasq.helpers.kit.base import MOST_UNTAKEN, Side
from nfmasq.helpers.kit.listener import Example, Listener

AT_ONCE = 65507
MOST_STEPS = 40_000
"""About five milliseconds."""
OF_SMALL_MESSAGES = {"dns": 60_000, "portmap": 75_000}
"""Over TCP: these read seven hundred messages of ninety bytes, each at less than a hundred steps."""
OF_MANY_MESSAGES = {"ftp", "irc", "pptp", "rtsp", "sip"}
"""Helpers whose programs say much on one connection: their steps are counted by the message (test_steps)."""

Case = tuple[str, str, bool, int]
"""A helper's name, a transport, whether the inside began, and the nth text of the example."""


def cases() -> Iterator[Case]:
    """Every text of every example."""
    for name in sorted(set(protocols.NAMES) - OF_MANY_MESSAGES):
        helper = registry.kind(name)()
        for transport, inside_began, example in trial.examples(helper):
            yield from ((name, transport, inside_began, nth) for nth in range(len(example)))


def example_of(name: str, transport: str, inside_began: bool) -> Example:
    """What a helper carries for sessions of this transport that this side began."""
    every = trial.examples(registry.kind(name)())
    return next(example for *of, example in every if of == [transport, inside_began])


def steps(listener: Listener, side: Side, text: bytes) -> int:
    """How many it takes to read this much of a text."""
    said = text * (AT_ONCE // len(text))
    pieces = [said]
    if listener.transport == "tcp":
        pieces = [said[at : at + MOST_UNTAKEN] for at in range(0, len(said), MOST_UNTAKEN)]
    count = 0

    def step(_: FrameType, event: str, __: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    waiting = b""
    before = sys.getprofile()
    for piece in pieces:
        waiting += piece
        sys.setprofile(step)
        try:
            reading = listener._dialogue.read(side, waiting)
        finally:
            sys.setprofile(before)
        waiting = waiting[reading.taken :]
        if reading.leave or len(waiting) > MOST_UNTAKEN:
            break
    return count


@pytest.mark.parametrize(("name", "transport", "inside_began", "nth"), list(cases()))
def test_a_helper_s_own_words_again_and_again(
    name: str, transport: str, inside_began: bool, nth: int
) -> None:
    example = example_of(name, transport, inside_began)
    listener = Listener(registry.kind(name)(), inside_began, transport=transport).hear_all(example)
    side, text = example[nth]
    most = OF_SMALL_MESSAGES.get(name, MOST_STEPS) if transport == "tcp" else MOST_STEPS
    assert steps(listener, side, text) <= most

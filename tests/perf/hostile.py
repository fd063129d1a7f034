"""What hostile bytes cost: `python -m perf.hostile` prints a row for each helper, with its dearest.

Processor time of one call that reads 64 KB, the least of a few. No network is needed. An expression that
tries again at every byte costs nothing that steps could count, and much that shows here.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

from support.hostile import BEGUN, LINES, Kind, hostile

from nfmasq.helpers.kit.base import Side
from nfmasq.helpers.kit.listener import Listener

ROUNDS = 5
MOST_MS = 5.0
"""The target."""


class Cost(NamedTuple):
    """Seconds that a helper takes for the dearest bytes of one kind."""

    seconds: float
    helper: str
    line: bytes


def costs(rounds: int = ROUNDS) -> Iterator[Cost]:
    """What all hostile bytes cost, in no order."""
    for kind, line in LINES:
        for side in Side:
            least = min(_seconds(kind, side, line) for _ in range(rounds))
            yield Cost(least, kind.name, line)


def dearest(rounds: int = ROUNDS) -> list[Cost]:
    """The dearest bytes for each helper."""
    found: dict[str, Cost] = {}
    for cost in costs(rounds):
        found[cost.helper] = max(cost, found.get(cost.helper, cost))
    return sorted(found.values(), reverse=True)


def _seconds(kind: Kind, side: Side, line: bytes) -> float:
    heard = Listener(kind(), True, transport=kind.transport).hear_all(BEGUN[kind])
    text = hostile(line, kind)
    before = time.thread_time()
    heard._dialogue.read(side, text)
    return time.thread_time() - before


if __name__ == "__main__":
    for each in dearest():
        verdict = "" if each.seconds * 1e3 < MOST_MS else f"  more than {MOST_MS} ms"
        print(f"{each.helper:8} {each.seconds * 1e3:6.2f} ms  {each.line[:40]!r}{verdict}")

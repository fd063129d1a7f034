"""Feeds dialogues for the tests of helpers: what was found, as plain facts."""

from collections.abc import Iterable, Sequence

from nfmasq.helpers.kit.base import Helper, Side, Size
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, REMOTE, Example, Listener
from nfmasq.helpers.kit.rewriting import rewritten

__all__ = ["CLIENT", "EXTERNAL", "IN", "OUT", "SERVER", "endpoints", "hear", "texts", "written"]

IN, OUT = Side.INSIDE, Side.OUTSIDE
CLIENT = INTERNAL
SERVER = REMOTE


def hear(helper: Helper, example: Example, *, inside_began: bool = True) -> Listener:
    """Let a new dialogue of the helper read an example."""
    return Listener(helper, inside_began).hear_all(example)


def texts(listener: Listener, example: Example) -> list[bytes]:
    """The text of each place that was found."""
    said = {side: b"".join(text for who, text in example if who is side) for side in Side}
    return [said[place.side][place.start : place.end] for place in listener.places]


def endpoints(listener: Listener) -> list[tuple[str | None, int]]:
    """The endpoints that were found, each an address, or None, and a port, or 0 where there is none."""
    return [
        (
            None if what.address is None else str(what.address),
            what.port,
        )
        for what in (place.what for place in listener.places)
        if not isinstance(what, Size)
    ]


def written(listener: Listener, example: Example, port: int = 40000) -> list[tuple[Side, bytes]]:
    """The example as the far side hears it, each endpoint replaced by the external address and `port`."""
    return rewritten(example, listener, (EXTERNAL, port))


def cut(example: Example, lengths: Iterable[int]) -> Sequence[tuple[Side, bytes]]:
    """The example in other segments: of these lengths, one after the other, and the last piece as it is."""
    sizes, pieces = iter(lengths), []
    for side, text in example:
        at = 0
        while at < len(text):
            size = max(1, next(sizes, len(text)))
            pieces.append((side, text[at : at + size]))
            at += size
    return pieces

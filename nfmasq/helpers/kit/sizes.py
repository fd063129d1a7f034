"""Sizes: numbers that say how long a part of a message is. They are written last, from what was written.

Nothing is stored. A size may lie within the part of another one, and within its own part (TPKT).
"""

from collections.abc import Callable, Sequence

from nfmasq.helpers.kit.base import Size

Edit = tuple[int, int, bytes]
"""A span of what was read, and the text that takes its place."""

_ROUNDS = 4
"""A number in its own part may become longer, and the part with it: it is written again, up to so often."""


def sized(
    edits: Sequence[Edit], sizes: Sequence[Size], write: Callable[[Callable[[int], bytes], int], bytes]
) -> list[Edit]:
    """The edits in order, with one for each size whose part they change.

    write: calls a size's function with a length; its exceptions are raised here. Edits must not overlap. The
    shortest part comes first, for its number may lie in a longer one.
    """
    made = list(edits)
    for size in sorted(sizes, key=lambda each: each.until - each.begin):
        begin, until = size.begin, size.until
        grown = sum([len(text) - end + start for start, end, text in made if begin <= start and end <= until])
        if grown == 0:
            continue
        length = until - begin + grown
        text = write(size.write, length)
        if begin <= size.start and size.end <= until:
            text = _settled(size, length, text, write)
        made.append((size.start, size.end, text))
    return sorted(made)


def _settled(
    size: Size, length: int, text: bytes, write: Callable[[Callable[[int], bytes], int], bytes]
) -> bytes:
    """The text of a number that counts itself. Raises ValueError where its length never settles."""
    for _ in range(_ROUNDS):
        again = write(size.write, length + len(text) - (size.end - size.start))
        if len(again) == len(text):
            return again
        text = again
    raise ValueError("the length of a size that counts itself does not settle")

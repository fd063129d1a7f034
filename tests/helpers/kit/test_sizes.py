"""Sizes are written last, from what was written."""

from collections.abc import Callable
from typing import Any

import pytest

from nfmasq.helpers.kit.base import Size
from nfmasq.helpers.kit.sizes import Edit, sized


def decimal(length: int) -> bytes:
    """A number as text protocols write it."""
    return b"%d" % length


def word(length: int) -> bytes:
    """A number as binary protocols write it."""
    return length.to_bytes(2)


def call(write: Callable[[int], bytes], length: int) -> bytes:
    """Call it."""
    return write(length)


def after(text: bytes, edits: list[Edit], *sizes: Size) -> bytes:
    """The text with its edits and sizes written."""
    made, done = b"", 0
    for start, end, new in sized(edits, sizes, call):
        made += text[done:start] + new
        done = end
    return made + text[done:]


def test_a_size_counts_what_was_written_in_its_part() -> None:
    text = b"Length: 8\n12345678"
    assert after(text, [(12, 14, b"abcde")], Size(8, 9, 10, 18, decimal)) == b"Length: 11\n12abcde5678"


def test_a_part_that_did_not_change_keeps_its_number() -> None:
    """A number may be wrong, or be written with zeros, for reasons that are no helper's."""
    text = b"Length: 008\n12345678"
    size = Size(8, 11, 12, 20, decimal)
    assert after(text, [], size) == text
    assert after(text, [(12, 13, b"x")], size) == b"Length: 008\nx2345678"
    assert after(text, [(0, 6, b"L")], size) == b"L: 008\n12345678"


def test_sizes_may_lie_in_the_parts_of_others() -> None:
    """TPKT around Q.931: the outer number counts what the inner one has become."""
    text = b"9 8 abcdef"
    outer, inner = Size(0, 1, 1, 10, decimal), Size(2, 3, 3, 10, decimal)
    for sizes in ((outer, inner), (inner, outer)):
        assert after(text, [(4, 5, b"xxxxx")], *sizes) == b"14 11 xxxxxbcdef"


def test_a_size_may_count_itself() -> None:
    assert after(b"9 abcdefg", [(2, 3, b"xx")], Size(0, 1, 0, 9, decimal)) == b"11 xxbcdefg"
    assert after(b"\0\4ab", [(2, 3, b"xxx")], Size(0, 2, 0, 4, word)) == b"\0\6xxxb"


def test_a_size_behind_its_part() -> None:
    assert after(b"abc 3", [(0, 1, b"")], Size(4, 5, 0, 3, decimal)) == b"bc 2"


@pytest.mark.parametrize(
    ("write", "error"),
    [(lambda length: b"x" * (length % 7 + 1), ValueError), (lambda length: 1 // 0, ZeroDivisionError)],
)
def test_what_cannot_be_written_is_raised(write: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        after(b"9 abcdefg", [(2, 3, b"xx")], Size(0, 1, 0, 9, write))

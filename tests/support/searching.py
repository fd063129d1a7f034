"""How many steps an expression of `re` takes: a matcher that goes back as Python's does, and counts.

Python's own is written in C, so it cannot be counted, and no leash cuts it off. What is compared is how the
steps grow with the text, so the places where Python's is quicker make no difference.
"""

import re
from collections.abc import Iterator, Sequence
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MOST_STEPS = 400_000
"""More are as good as endless."""
LOOPS = {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}
LONG = 16
"""A repeat of more than so many is a loop."""
_EVERY = frozenset(range(256))
_CLASSES = {
    ops.CATEGORY_DIGIT: frozenset(b"0123456789"),
    ops.CATEGORY_SPACE: frozenset(b" \t\n\r\f\v"),
    ops.CATEGORY_WORD: frozenset(byte for byte in range(128) if chr(byte).isalnum() or byte == ord("_")),
}
_OPPOSITES = {
    ops.CATEGORY_NOT_DIGIT: ops.CATEGORY_DIGIT,
    ops.CATEGORY_NOT_SPACE: ops.CATEGORY_SPACE,
    ops.CATEGORY_NOT_WORD: ops.CATEGORY_WORD,
}

Step = tuple[Any, ...]


class Endless(Exception):
    """It took more than MOST_STEPS."""


class Counted:
    """An expression. sets: the bytes that a step takes, for each.

    loops: a text that leads to each, and one that it takes.
    """

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        tree = parser.parse(pattern.pattern, pattern.flags)
        self.sets: set[frozenset[int]] = set()
        steps = self._made(tree, pattern.flags)
        self._program = [*steps, ("found",)]
        self._to_the_end = [*steps, ("end",), ("found",)]
        self.loops = list(_loops(tree, b""))
        self._steps = 0

    def steps(self, text: bytes, how: str) -> int:
        """Steps of match, fullmatch, or of a search for all matches. Raises Endless."""
        self._steps = at = 0
        program = self._to_the_end if how == "fullmatch" else self._program
        while at <= len(text):
            end = self._run(program, text, at)
            if how != "search":
                break
            at = at + 1 if end is None else max(end, at + 1)
        return self._steps

    def end(self, text: bytes) -> int | None:
        """Where a match ends; None: there is none."""
        self._steps = 0
        return self._run(self._program, text, 0)

    def pieces(self) -> list[bytes]:
        """A byte of each kind: of those that all of its steps take or leave alike."""
        kinds: dict[tuple[bool, ...], int] = {}
        for byte in (*b" a0\t\r\n\0", *range(256)):
            kinds.setdefault(tuple(byte in each for each in sorted(self.sets, key=sorted)), byte)
        return [bytes([byte]) for byte in kinds.values()]

    def _run(self, program: Sequence[Step], text: bytes, start: int) -> int | None:
        """Where a match ends that begins there."""
        waiting: list[tuple[int, int, dict[int, int]]] = [(0, start, {})]
        while waiting:
            at, here, groups = waiting.pop()
            while True:
                self._steps += 1
                if self._steps > MOST_STEPS:
                    raise Endless
                kind, *what = program[at]
                at += 1
                if kind == "found":
                    return here
                if kind == "split":
                    waiting.append((what[1], here, groups))
                    at = what[0]
                elif kind == "go":
                    at = what[0]
                elif kind == "group":
                    groups = groups | {what[0]: here}
                elif (after := self._after(kind, what, text, here, groups)) is None:
                    break
                else:
                    here = after
        return None

    def _after(
        self, kind: str, what: list[Any], text: bytes, here: int, groups: dict[int, int]
    ) -> int | None:
        """Where it goes on behind a step that takes bytes, or looks at them; None: they do not fit."""
        if kind == "set":
            return here + 1 if here < len(text) and text[here] in what[0] else None
        if kind == "again":
            piece = text[groups[what[0]] : groups[-what[0]]]
            return here + len(piece) if text.startswith(piece, here) else None
        if kind == "once":
            return self._run(what[0], text, here)
        if kind == "look":
            program, back, wanted = what
            seen = here >= back and self._run(program, text, here - back) is not None
            return here if seen == wanted else None
        is_there = {"start": here == 0, "end": here == len(text)}
        return here if is_there[kind] else None

    def _made(self, tree: Any, flags: int, offset: int = 0) -> list[Step]:
        """The steps of a tree; offset: the number that the first one has."""
        made: list[Step] = []
        for kind, what in tree:
            made += self._made_of(kind, what, flags, offset + len(made))
        return made

    def _made_of(  # noqa: PLR0911  one for each kind
        self, kind: Any, what: Any, flags: int, offset: int
    ) -> list[Step]:
        if kind in LOOPS:
            return self._repeated(kind, what, flags, offset)
        if kind is ops.BRANCH:
            return self._branches(what[1], flags, offset)
        if kind is ops.SUBPATTERN:
            number, more, less, inner = what
            flags = (flags | more) & ~less
            if number is None:
                return self._made(inner, flags, offset)
            return [("group", number), *self._made(inner, flags, offset + 1), ("group", -number)]
        if kind is ops.ATOMIC_GROUP:
            return [("once", [*self._made(what, flags), ("found",)])]
        if kind in {ops.ASSERT, ops.ASSERT_NOT}:
            way, inner = what
            back = inner.getwidth()[1] if way < 0 else 0
            return [("look", [*self._made(inner, flags), ("found",)], back, kind is ops.ASSERT)]
        if kind is ops.GROUPREF:
            return [("again", what)]
        if kind is ops.AT:
            return [("start",) if what in {ops.AT_BEGINNING, ops.AT_BEGINNING_STRING} else ("end",)]
        if kind is ops.FAILURE:
            return [("set", frozenset())]
        taken = _taken(kind, what, flags)
        self.sets.add(taken)
        return [("set", taken)]

    def _branches(self, branches: Sequence[Any], flags: int, offset: int) -> list[Step]:
        made: list[Step] = []
        ends: list[int] = []
        for nth, branch in enumerate(branches):
            is_last = nth == len(branches) - 1
            begin = offset + len(made)
            steps = self._made(branch, flags, begin + (0 if is_last else 1))
            if not is_last:
                made.append(("split", begin + 1, begin + 2 + len(steps)))
            made += steps
            if not is_last:
                ends.append(len(made))
                made.append(("go", 0))
        for each in ends:
            made[each] = "go", offset + len(made)
        return made

    def _repeated(self, kind: Any, what: Any, flags: int, offset: int) -> list[Step]:
        least, most, inner = what
        if kind is ops.POSSESSIVE_REPEAT:
            return [("once", [*self._repeated(ops.MAX_REPEAT, what, flags, 0), ("found",)])]
        made: list[Step] = []
        for _ in range(least):
            made += self._made(inner, flags, offset + len(made))
        if most is ops.MAXREPEAT:
            begin = offset + len(made)
            steps = self._made(inner, flags, begin + 1)
            return [*made, _split(kind, begin + 1, begin + 2 + len(steps)), *steps, ("go", begin)]
        begins = []
        for _ in range(most - least):
            begins.append(len(made))
            made.append(("split", 0, 0))
            made += self._made(inner, flags, offset + len(made))
        for each in begins:
            made[each] = _split(kind, offset + each + 1, offset + len(made))
        return made


def _split(kind: Any, more: int, on: int) -> Step:
    return ("split", on, more) if kind is ops.MIN_REPEAT else ("split", more, on)


def _taken(kind: Any, what: Any, flags: int) -> frozenset[int]:
    """The bytes that a step takes."""
    if kind is ops.ANY:
        return _EVERY if flags & re.DOTALL else _EVERY - {ord("\n")}
    if kind is ops.LITERAL:
        taken = frozenset([what])
    elif kind is ops.NOT_LITERAL:
        return _EVERY - _cases(frozenset([what]), flags)
    elif kind is ops.RANGE:
        taken = frozenset(range(what[0], what[1] + 1))
    elif kind is ops.CATEGORY:
        taken = _CLASSES[what] if what in _CLASSES else _EVERY - _CLASSES[_OPPOSITES[what]]
    elif kind is ops.IN:
        parts = [_taken(each[0], each[1], flags) for each in what if each[0] is not ops.NEGATE]
        taken = _cases(frozenset().union(*parts), flags)
        return _EVERY - taken if what[0][0] is ops.NEGATE else taken
    else:
        raise NotImplementedError(kind)
    return _cases(taken, flags)


def _cases(taken: frozenset[int], flags: int) -> frozenset[int]:
    if not flags & re.IGNORECASE:
        return taken
    text = bytes(taken)
    return frozenset(text.lower() + text.upper())


def _loops(tree: Any, before: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each loop: a text that leads to it, and one that it takes."""
    for kind, what in tree:
        if kind in LOOPS:
            if what[1] is ops.MAXREPEAT or what[1] - what[0] > LONG:
                yield before, _sample(what[2])
            yield from _loops(what[2], before)
        elif kind is ops.BRANCH:
            for branch in what[1]:
                yield from _loops(branch, before)
        elif kind is ops.SUBPATTERN:
            yield from _loops(what[3], before)
        elif kind is ops.ATOMIC_GROUP:
            yield from _loops(what, before)
        elif kind in {ops.ASSERT, ops.ASSERT_NOT}:
            yield from _loops(what[1], before)
        before += _sample([(kind, what)])


def _sample(tree: Any) -> bytes:
    """A short text that a tree takes."""
    made = b""
    for kind, what in tree:
        if kind in LOOPS:
            made += _sample(what[2]) * max(1, what[0])
        elif kind is ops.BRANCH:
            made += _sample(what[1][0])
        elif kind is ops.SUBPATTERN:
            made += _sample(what[3])
        elif kind is ops.ATOMIC_GROUP:
            made += _sample(what)
        elif kind is ops.GROUPREF:
            made += made[-1:]
        elif kind not in {ops.AT, ops.ASSERT, ops.ASSERT_NOT, ops.FAILURE}:
            taken = _taken(kind, what, 0)
            made += bytes([next((byte for byte in b"a1;: " if byte in taken), min(taken))])
    return made

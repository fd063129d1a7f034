"""Every regular expression of a helper takes steps in proportion to the text, whatever is in it.

A search in C cannot be cut off. One that goes back again and again stops all helpers' sessions meanwhile, and
after a few such searches the helper is disabled for the whole router: by datagrams from outside.
"""

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.searching import Counted, Endless

import nfmasq.helpers
from nfmasq.helpers.kit import hiding

LENGTH, LONGER = 24, 240
TAILS = (b"", b"\0", b"\r", b"\n")
MOST_GROWTH = 2.6
MANY = 24
"""Steps that make no difference."""
SEARCHES = {"search", "finditer", "findall", "sub", "split"}
ALL = frozenset({"match", "fullmatch", "search"})
MODULES = sorted(each.name for each in pkgutil.walk_packages(nfmasq.helpers.__path__, "nfmasq.helpers."))
OWN = IPv4Address("203.0.113.2")
MADE_IN_FUNCTIONS: dict[tuple[str, str], Callable[[IPv4Address], re.Pattern[bytes]]] = {
    ("nfmasq.helpers.kit.hiding", "_internal"): hiding._internal,
    ("nfmasq.helpers.kit.hiding", "six_numbers_of"): hiding.six_numbers_of,
}
"""By module and function."""


@dataclass(frozen=True)
class Used:
    """An expression, and how a helper asks for it."""

    module: str
    name: str
    pattern: re.Pattern[bytes]
    how: frozenset[str]

    def __str__(self) -> str:
        return f"{self.module.removeprefix('nfmasq.helpers.')}.{self.name}"


def held(value: object) -> Iterator[re.Pattern[bytes]]:
    """The expressions in a module's value."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from held(each)
    elif isinstance(value, dict):
        yield from held(list(value.values()))


def source_of(module: str) -> ast.Module:
    """A module's source."""
    path = importlib.import_module(module).__file__
    assert path is not None
    return ast.parse(Path(path).read_text(encoding="utf-8"))


def how_used(tree: ast.Module, name: str) -> frozenset[str]:
    """How a module asks for the expression of this name; in every way, if that cannot be seen."""
    asked = {
        each.attr
        for each in ast.walk(tree)
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == name
    }
    ways = {"search" if each in SEARCHES else each for each in asked} & ALL
    return frozenset(ways or ALL)


def used() -> Iterator[Used]:
    """Every expression."""
    for name in MODULES:
        tree = source_of(name)
        for key, value in vars(importlib.import_module(name)).items():
            for pattern in held(value):
                is_held = not isinstance(value, re.Pattern)
                yield Used(name, key, pattern, ALL - {"search"} if is_held else how_used(tree, key))
    for (name, function), make in MADE_IN_FUNCTIONS.items():
        yield Used(name, function, make(OWN), frozenset({"search"}))


EXPRESSIONS = list(used())


def grows(pattern: re.Pattern[bytes], how: Iterable[str]) -> list[bytes]:
    """Texts for which the steps grow faster than their length."""
    counted = Counted(pattern)
    texts = [
        (before, run, tail)
        for before, piece in counted.loops or [(b"", b"a")]
        for run in {*counted.pieces(), piece} - {b""}
        for tail in TAILS
    ]
    return [
        before + run * LENGTH + tail
        for before, run, tail in texts
        if any(grows_with(counted, way, before, run, tail) for way in how)
    ]


def grows_with(counted: Counted, how: str, before: bytes, run: bytes, tail: bytes) -> bool:
    """Twice as long a text takes twice as many steps more; four times as many, if they are squared.

    A bounded repeat grows so up to its bound, so longer texts are tried, too.
    """
    for length in (LENGTH, LONGER):
        try:
            one, two, four = (
                counted.steps(before + run * (length * times) + tail, how) for times in (1, 2, 4)
            )
        except Endless:
            return True
        if four - two <= MOST_GROWTH * (two - one) + MANY:
            return False
    return True


@pytest.mark.parametrize("one", EXPRESSIONS, ids=str)
def test_the_steps_grow_as_the_text_does(one: Used) -> None:
    assert not grows(one.pattern, one.how)


def test_no_expression_is_forgotten() -> None:
    """All are made where a module begins, or in a function that is known here."""
    made = {
        (name, function.name)
        for name in MODULES
        for function in ast.walk(source_of(name))
        if isinstance(function, ast.FunctionDef) and any(map(makes_one, ast.walk(function)))
    }
    assert made == MADE_IN_FUNCTIONS.keys()


def makes_one(node: ast.AST) -> bool:
    """Is it a call of a function of `re`?"""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
    )


@pytest.mark.parametrize(
    ("text", "how"),
    [
        (rb"([A-Za-z\-]+)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?\n", "match"),
        (rb"(?:a+)+b", "match"),
        (rb"a*a*b", "match"),
        (rb"(?:a|aa)+b", "match"),
        (rb"\s+x", "search"),
        (rb"[^>]*>", "search"),
        (rb"a*[ab]*c", "fullmatch"),
    ],
)
def test_one_that_goes_back_again_and_again_is_found(text: bytes, how: str) -> None:
    assert grows(re.compile(text), {how})


@pytest.mark.parametrize(
    ("text", "how"),
    [(rb"a++a*b", "match"), (rb"(?<!\s)\s++x", "search"), (rb";\s*x", "search"), (rb"[^>]*>", "match")],
)
def test_one_that_does_not_is_left_alone(text: bytes, how: str) -> None:
    assert not grows(re.compile(text), {how})


@pytest.mark.parametrize("one", EXPRESSIONS, ids=str)
def test_the_steps_are_those_of_python(one: Used) -> None:
    """What is counted finds the same ends as `re`."""
    counted = Counted(one.pattern)
    for before, piece in counted.loops:
        for run in counted.pieces():
            for text in (before + run * 3 + piece * 2, before + piece * 2 + run):
                found = one.pattern.match(text)
                assert counted.end(text) == (found.end() if found else None), text

"""The docstrings and comments of the code name files that exist, and their sentences are short."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import ROOT, name_of, sentences_of

PACKAGE = ROOT / "nfmasq"
SOURCES = sorted(
    path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".pyx", ".pxd", ".pxi", ".pyi"}
)
SHORT = [
    path
    for folder in ("control", "helpers", "runtime", "web")
    for path in sorted((PACKAGE / folder).rglob("*.py"))
]
"""Where every sentence of a docstring keeps to the bound."""
LONG = 25

_PATH = re.compile(r"(?<![\w./<])((?:[\w-]+/)+[\w-]+\.(?:pyx|pyi|py|pxd|pxi|md|toml|service))\b")
_BASES = (ROOT, PACKAGE)


def paths_in(source: Path) -> set[str]:
    """The files of the tree that a source names with a folder before them."""
    found = set(_PATH.findall(source.read_text(encoding="utf-8")))
    return {each for each in found if not each.startswith(("etc/", "run/", "proc/"))}


@pytest.mark.parametrize("source", [path for path in SOURCES if paths_in(path)], ids=name_of)
def test_files_that_the_code_names_exist(source: Path) -> None:
    bases = (*_BASES, source.parent)
    assert not [each for each in paths_in(source) if not any((base / each).exists() for base in bases)]


def docstrings(source: Path) -> Iterator[str]:
    """The docstrings of a module: of its parts, its constants and its fields."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value


@pytest.mark.parametrize("source", SHORT, ids=name_of)
def test_sentences_of_docstrings_are_short(source: Path) -> None:
    said = [
        sentence
        for text in docstrings(source)
        for paragraph in re.split(r"\n\s*\n", text)
        for sentence in sentences_of(paragraph)
    ]
    assert not [sentence for sentence in said if len(sentence.split()) > LONG]

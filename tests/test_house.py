"""The rules of the house: where a thing lives, whom it may know, its size, its words.

The layers are import-linter's contracts in pyproject.toml, and tests/run checks them. docs/contributing.md
explains the rules, docs/glossary.md lists the words.
"""

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from support.house import GLOSSARY, ROOT, WITHOUT_TEST, retired_words

PACKAGE, TESTS = ROOT / "nfmasq", ROOT / "tests"
KINDS = {".py", ".pyx", ".pxd", ".pxi"}
SOURCES = sorted(path for folder in (PACKAGE, TESTS) for path in folder.rglob("*") if path.suffix in KINDS)
MODULES = [path for path in SOURCES if path.suffix == ".py" and PACKAGE in path.parents]

LONGEST_FILE, LONGEST_CLASS, MEDIAN_FILE = 400, 200, 100
SHELVES = ("base", "wire", "state", "way", "calls", "face")
"""Of `_hot`, low to high: each may cimport from its own shelf and those before it."""


def name_of(path: Path) -> str:
    """A file as people name it."""
    return str(path.relative_to(ROOT))


def higher_shelves(shelf: str, text: str) -> set[str]:
    """The shelves above this one that the text of a stage names, in whichever form of cimport."""
    named = set(re.findall(r"nfmasq\._hot\.(\w+)", text))
    for names in re.findall(r"from nfmasq\._hot c?import (\([^)]*\)|.*)", text):
        named |= set(re.findall(r"\w+", names))
    return named & {*SHELVES[SHELVES.index(shelf) + 1 :]}


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_of_the_core_knows_only_lower_ones(shelf: str) -> None:
    """A stage may ask the state; the state knows no stage."""
    upwards = [
        f"{name_of(path)} names {higher}"
        for path in sorted((PACKAGE / "_hot" / shelf).glob("*.px[di]"))
        if (higher := higher_shelves(shelf, path.read_text(encoding="utf-8")))
    ]
    assert not upwards


@pytest.mark.parametrize(
    "line",
    [
        "from nfmasq._hot.way cimport limits",
        "from nfmasq._hot.way.limits cimport is_full",
        "cimport nfmasq._hot.way.limits as limits",
        "from nfmasq._hot cimport state, way",
        "from nfmasq._hot cimport (\n    state,\n    way,\n)",
    ],
)
def test_every_form_of_cimport_counts(line: str) -> None:
    """`calls` stands above `way`, `state` below."""
    assert higher_shelves("state", line) == {"way"}
    assert higher_shelves("calls", line) == set()


def test_every_stage_lies_on_a_shelf() -> None:
    """`_hot` itself holds nothing but its table of contents."""
    found = {path.name for path in (PACKAGE / "_hot").iterdir() if path.name != "__pycache__"}
    assert found == {"__init__.pxd", *SHELVES}


def test_every_stage_is_in_the_table_of_contents() -> None:
    """`_hot/__init__.pxd` names each file of the shelves."""
    contents = (PACKAGE / "_hot" / "__init__.pxd").read_text(encoding="utf-8")
    files = [path.stem for shelf in SHELVES for path in (PACKAGE / "_hot" / shelf).glob("*.px[di]")]
    missing = [name for name in files if name != "__init__" and not re.search(rf"\b{name}\b", contents)]
    assert not missing


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}: a relative import"
            yield node.module or ""


PROTOCOLS = sorted((PACKAGE / "helpers" / "protocols").rglob("*.py"))


@pytest.mark.parametrize("path", PROTOCOLS, ids=name_of)
def test_a_protocol_imports_the_kit_and_the_standard_library(path: Path) -> None:
    """Its author needs to know nothing else of nfmasq."""
    own = ("nfmasq.helpers.kit", "nfmasq.helpers.protocols")
    strange = [
        name
        for name in imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith(own)
    ]
    assert not strange


def test_no_file_is_too_long() -> None:
    """What needs more room has more than one subject."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert [f"{name_of(path)}: {lines}" for path, lines in lengths.items() if lines > LONGEST_FILE] == []
    product = [lines for path, lines in lengths.items() if PACKAGE in path.parents and lines > 1]
    assert statistics.median(product) <= MEDIAN_FILE


def classes(path: Path) -> Iterator[tuple[str, int]]:
    """Each class of a file, of Python or Cython, with its lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                yield node.name, (node.end_lineno or 0) - node.lineno + 1
        return
    lines = text.splitlines()
    tops = [place for place, line in enumerate(lines) if line and not line[0].isspace()]
    for begin, end in pairwise([*tops, len(lines)]):
        if found := re.match(r"(?:cdef )?class (\w+)", lines[begin]):
            yield found[1], end - begin


def test_no_class_is_too_long() -> None:
    """A class of more than two hundred lines does more than one thing."""
    long = [
        f"{name_of(path)}: {name} has {lines} lines"
        for path in SOURCES
        for name, lines in classes(path)
        if lines > LONGEST_CLASS
    ]
    assert not long


def holds_a_test(path: Path) -> bool:
    """Does the file hold a test? A docstring alone is none."""
    return (
        path.exists()
        and re.search(r"^\s*(async )?def test_", path.read_text(encoding="utf-8"), re.M) is not None
    )


def test_a_file_without_a_test_is_none(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text('"""def test_ is in the docstring alone."""\n', encoding="utf-8")
    assert not holds_a_test(tmp_path / "test_it.py")
    assert not holds_a_test(tmp_path / "test_missing.py")
    assert holds_a_test(Path(__file__))


def test_every_module_has_a_test_of_its_name() -> None:
    """tests/FOLDER/test_MODULE.py, or a line in the list of modules that another test covers."""
    own, covered = [], set()
    for path in MODULES:
        place = path.relative_to(PACKAGE)
        line = next((each for each in (str(place), f"{place.parent}/*") if each in WITHOUT_TEST), None)
        tester = TESTS / place.parent / f"test_{place.stem.lstrip('_')}.py"
        if path.stem == "__init__" or holds_a_test(tester):
            continue
        own += [str(place)] if line is None else []
        covered.add(line)
    assert own == [], "give each a test of its name"
    assert sorted(WITHOUT_TEST.keys() - covered) == [], "these have one: take them off the list"


@pytest.mark.parametrize("tester", sorted(set(WITHOUT_TEST.values())))
def test_the_test_that_is_named_instead_is_there(tester: str) -> None:
    """A name in the list that leads nowhere would hide a module without any test."""
    assert holds_a_test(ROOT / tester)


BOUND = re.compile(r"^_?(MOST_\w+|LAST_PORT)(?:: [^=]+)? = ", re.MULTILINE)


def test_a_bound_has_a_name_of_its_own() -> None:
    """Constants of one name and different values are mixed up sooner or later."""
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for name in BOUND.findall(path.read_text(encoding="utf-8")):
            homes.setdefault(name, []).append(name_of(path))
    assert not {name: found for name, found in homes.items() if len(found) > 1}


PROSE = [ROOT / "README.md", ROOT / "deploy" / "nfmasq.toml", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize(("word", "instead"), retired_words(), ids=lambda word: str(word).replace(" ", "-"))
def test_a_retired_word_stands_nowhere(word: str, instead: str) -> None:
    """Not in code, commands, or docs: one word an idea."""
    shape = re.compile(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", re.IGNORECASE)
    found = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in [*PROSE, *(path for path in SOURCES if PACKAGE in path.parents)]
        if path != GLOSSARY
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if shape.search(line)
    ]
    assert not found, f"say {instead}"

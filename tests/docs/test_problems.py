"""Every problem that the status can name has a row in the troubleshooting page, and every row is of one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import ROOT

PAGE = ROOT / "docs" / "troubleshooting.md"
SPEAKING = {"problems", "flushed", "foreign_problems"}
"""Functions whose texts are problems. `Forwards.problems` are warnings of the status."""
WHERE = [
    *sorted((ROOT / "nfmasq" / "daemon").glob("*.py")),
    ROOT / "nfmasq" / "runtime" / "helpers.py",
    ROOT / "nfmasq" / "machine" / "edge.py",
    ROOT / "nfmasq" / "machine" / "surroundings.py",
    ROOT / "nfmasq" / "machine" / "uplinks.py",
    ROOT / "nfmasq" / "diversion" / "foreign.py",
    ROOT / "nfmasq" / "diversion" / "forwarding_stop.py",
]
CARRIERS = {"missing", "what", "problem", "problems", "nothing"}
"""Variables and attributes whose text is a problem, or the beginning of one."""
ANY = "\0"
CONSEQUENCES = ("no host is behind it", "nothing leaves by it")
"""The second halves of a problem about an interface that is away."""


def text_of(node: ast.expr) -> str:
    """A string or f-string of the source; ANY stands for each value written into it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values)
    return ""


def texts_in(node: ast.AST) -> Iterator[str]:
    """The longest strings in a part of the source: not the pieces of an f-string."""
    if isinstance(node, ast.JoinedStr | ast.Constant):
        yield text_of(node)
        return
    for child in ast.iter_child_nodes(node):
        yield from texts_in(child)


def speaks(node: ast.AST) -> bool:
    """Is the text in this part of the source a problem?"""
    if isinstance(node, ast.FunctionDef):
        return node.name in SPEAKING
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(name_of(target) in CARRIERS for target in targets)
    if not isinstance(node, ast.Call):
        return False
    called = getattr(node.func, "attr", "")
    return called in {"report", "setdefault", "_failed"} or (
        called == "append" and name_of(getattr(node.func, "value", None)) == "problems"
    )


def name_of(node: ast.AST | None) -> str:
    """The variable or attribute that is set: `problems` of `self.problems["rules"]`."""
    if isinstance(node, ast.Subscript):
        return name_of(node.value)
    return str(getattr(node, "id", getattr(node, "attr", "")))


def problems() -> list[str]:
    """Every text of a problem; a sentence of two words at least, for a subject is one word."""
    found = set()
    for path in WHERE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if speaks(node):
                body = ast.Module(_without_docstring(node), []) if isinstance(node, ast.FunctionDef) else node
                found |= {text for text in texts_in(body) if len(re.findall("[a-z]{2,}", text)) >= 2}
    return sorted(text for text in found if not any(text in other for other in CONSEQUENCES))


def _without_docstring(function: ast.FunctionDef) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) is not None else function.body


def rows(page: Path = PAGE) -> list[str]:
    """The first cells of the table of problems."""
    table = page.read_text(encoding="utf-8").partition("| problem | meaning |\n")[2].partition("\n\n")[0]
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


def fits(row: str, problem: str) -> bool:
    """Is the problem what the row shows? "…" stands for anything, a row may end early."""
    shape = ".+".join(re.escape(part) for part in row.split("…"))
    return re.search(shape, problem) is not None


def test_problems_are_found_in_the_source() -> None:
    assert len(problems()) > 8
    assert f"no internal network on {ANY}" in problems()
    assert any("is stuck" in problem for problem in problems())


@pytest.mark.parametrize("problem", problems(), ids=lambda text: text.replace(ANY, "X"))
def test_every_problem_has_a_row(problem: str) -> None:
    assert [row for row in rows() if fits(row, problem)]


@pytest.mark.parametrize("row", rows())
def test_every_row_is_of_a_problem(row: str) -> None:
    assert [problem for problem in problems() if fits(row, problem)]

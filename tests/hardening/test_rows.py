"""Every attack of the list has a test that names it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardening.rows import ROWS

HERE = Path(__file__).parent


def _docstrings() -> Iterator[str]:
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield ast.get_docstring(node) or ""


NAMED = tuple(_docstrings())


@pytest.mark.parametrize("row", ROWS)
def test_the_row_has_a_test(row: str) -> None:
    assert any(docstring.startswith(f"{row}.") for docstring in NAMED)

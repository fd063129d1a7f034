"""What a helper of the tree says of itself, read from its source: only an enabled protocol is imported.

Nothing is stored. Only a class that says all of it in plain values, and can be made without options, is read
so. Every other helper is imported.
"""

import ast
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Never

from nfmasq.helpers.kit.base import Session

_NAMES = ("name", "transport", "ports", "enabled_by_default", "about")


@dataclass
class Facts:
    """A helper that is not loaded: all that a Helper has, but no dialogue."""

    name: str
    transport: str | tuple[str, ...]
    ports: tuple[int, ...]
    enabled_by_default: bool
    about: str

    def begin(self, session: Session) -> Never:
        """Raise RuntimeError: a helper is loaded before it is enabled."""
        raise RuntimeError(f"the helper {self.name} is not loaded")


def read(module: str) -> Facts | None:
    """The facts of a module's HELPER; None: only the module itself can tell."""
    spec = find_spec(module)
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        return _facts(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    except (OSError, SyntaxError, ValueError):
        return None


def _facts(tree: ast.Module) -> Facts | None:
    called = _values(tree.body).get("HELPER")
    kinds = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    kind = kinds.get(called.id) if isinstance(called, ast.Name) else None
    if kind is None or kind.bases or kind.decorator_list or _needs_options(kind):
        return None
    values = _values(kind.body)
    if not all(name in values for name in _NAMES):
        return None
    said: dict[str, Any] = {name: ast.literal_eval(values[name]) for name in _NAMES}
    return Facts(**said)


def _needs_options(kind: ast.ClassDef) -> bool:
    """Does it take arguments otherwise than by keyword, or without a default?"""
    makers = [node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    taken = [each.args for each in makers]
    return any(len(each.args) > 1 or each.posonlyargs or None in each.kw_defaults for each in taken)


def _values(body: list[ast.stmt]) -> dict[str, ast.expr]:
    """What simple names are set to."""
    found: dict[str, ast.expr] = {}
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.value
    return found

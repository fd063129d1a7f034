"""A fresh router for every test, and the ways to lay rules on it."""

from support.paths import _forget_the_guard, diversion, path, plan

__all__ = ["_forget_the_guard", "diversion", "path", "plan"]

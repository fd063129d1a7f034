"""A fresh router for every test."""

from support.paths import path

__all__ = ["path"]

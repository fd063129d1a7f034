"""The file of the forwards that outlast a restart (`engine.forwards`).

JSON: {"schema": 1, "forwards": [tables with the keys of [[forward]]]}. It is written whole beside its place
and then moved there, so a reader finds the old one or the new one. What cannot be understood is not lost: the
file is copied aside, for it is written anew when the next forward is kept.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nfmasq.config import Forward

SCHEMA = 1
LARGEST = 1 << 22
"""Bytes; more than all the forwards there can be."""


class Damaged(Exception):
    """The file does not hold what it should; the message says why, in words for its reader."""


def read(path: Path) -> list[Any]:
    """The tables in the file, not judged yet; none if there is no file. Raises Damaged and OSError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return []
    if len(content) > LARGEST:
        raise Damaged(f"it is larger than {LARGEST} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise Damaged("it is not good JSON") from None
    if not (isinstance(found, dict) and found.get("schema") == SCHEMA):
        raise Damaged(f'it has no "schema": {SCHEMA}')
    if not isinstance(found.get("forwards"), list):
        raise Damaged('it has no list "forwards"')
    return list(found["forwards"])


def set_aside(path: Path) -> Path:
    """Copy a file that is not understood, to be looked at; return where. Raises OSError."""
    aside = path.with_name(f"{path.name}.damaged")
    _write(aside, path.read_bytes())
    return aside


def write(path: Path, forwards: Iterable[Forward]) -> None:
    """Make the file hold these forwards, for good. Raises OSError, and then it is as it was."""
    content = {"schema": SCHEMA, "forwards": [forward.written() for forward in forwards]}
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    _write(path, json.dumps(content, indent=1).encode() + b"\n")


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

"""The file of the forwards that outlast a restart (`engine.forwards`).

JSON: {"schema": 1, "forwards": [tables with the keys of [[forward]]]}. The whole file is written under
another name and then moved into place, so a reader finds the old file or the new one. A damaged file is not
lost: it is copied, because the next kept forward overwrites it.
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
    """The file is not as it should be; the message says why."""


def read(path: Path) -> list[Any]:
    """The tables in the file, not validated; none if there is no file. Raises Damaged and OSError."""
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


def copy_damaged(path: Path) -> Path:
    """Copy a damaged file for its administrator; return the path of the copy. Raises OSError."""
    copy = path.with_name(f"{path.name}.damaged")
    _write(copy, path.read_bytes())
    return copy


def write(path: Path, forwards: Iterable[Forward]) -> None:
    """Write these forwards to the file, synced to disk. Raises OSError, and then the file is as before."""
    content = {"schema": SCHEMA, "forwards": [forward.written() for forward in forwards]}
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    _write(path, json.dumps(content, indent=1).encode() + b"\n")


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

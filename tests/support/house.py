"""What the rules of the house read: the glossary, and the list of modules that have no test of their name."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"

WITHOUT_TEST: dict[str, str] = {}
"""A module of nfmasq/, and what tests it instead."""


def retired_words() -> list[tuple[str, str]]:
    """Each word in backquotes in the last column of the glossary, and the word to use in its place."""
    words = []
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3:
            words += [(word, cells[0].strip("*`")) for word in re.findall(r"`([^`]+)`", cells[2])]
    return words

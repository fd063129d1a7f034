"""The glossary is a list that a person finds words in, and the pages keep to it."""

import re
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT, name_of

GLOSSARY = ROOT / "docs" / "glossary.md"

_ROW = re.compile(r"^\| (?P<word>[^|]+) \| (?P<meaning>[^|]+) \| (?P<retired>[^|]*)\|$", re.MULTILINE)


def rows() -> list[re.Match[str]]:
    """The rows of the table, without its heads."""
    return [row for row in _ROW.finditer(GLOSSARY.read_text(encoding="utf-8")) if row["word"] != "word"]


def retired() -> set[str]:
    """Words that are retired in every meaning."""
    return {word for row in rows() for word in re.findall("`([^`]+)`", row["retired"])}


def test_words_are_in_alphabetical_order() -> None:
    words = [row["word"].lower() for row in rows()]
    assert words == sorted(words)
    assert len({*words}) == len(words) > 40


def test_every_word_has_one_or_two_sentences() -> None:
    assert not [row["word"] for row in rows() if not re.fullmatch(r"[A-Z`].*\.", row["meaning"].strip())]


@pytest.mark.parametrize("page", sorted({*PAGES} - {GLOSSARY}), ids=name_of)
def test_no_page_uses_a_retired_word(page: Path) -> None:
    text = re.sub(r"\s+", " ", page.read_text(encoding="utf-8")).lower()
    assert not sorted(word for word in retired() if re.search(rf"\b{re.escape(word.lower())}\b", text))

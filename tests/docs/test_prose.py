"""Sentences a tired reader takes in at the first reading: short ones."""

from pathlib import Path
from statistics import median

import pytest

from docs.pages import PAGES, ROOT, cells, name_of, sentences

LONG, LONGEST = 25, 40
"""Words: more than the first are for a few sentences, more than the second for none."""

FEW = 0.03
USUAL = 16
"""The median may have so many words."""

OTHERS = ("performance.md", "rfc-compliance.md", "writing-a-helper.md")
NOT_COUNTED = {ROOT / "docs" / name for name in OTHERS}
"""The first two are written by programs, the third is a tutorial around code."""


@pytest.mark.parametrize("page", sorted({*PAGES} - NOT_COUNTED), ids=name_of)
def test_sentences_are_short(page: Path) -> None:
    counted = sorted((len(sentence.split()), sentence) for sentence in sentences(page))
    lengths = [length for length, _ in counted]
    long = [f"{length} words: {sentence}" for length, sentence in counted if length > LONG]
    assert lengths[-1] <= LONGEST, long[-1]
    assert len(long) <= max(1, FEW * len(counted)), "\n".join(long)
    assert median(lengths) <= USUAL


@pytest.mark.parametrize("page", sorted({*PAGES} - NOT_COUNTED), ids=name_of)
def test_cells_of_tables_are_short(page: Path) -> None:
    assert not [cell for cell in cells(page) if len(cell.split()) > LONGEST]

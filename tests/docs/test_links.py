"""Links between the pages lead somewhere, and so do the paths they name."""

import re
from pathlib import Path

import pytest

from docs.pages import PAGES, ROOT, anchors, code, links, name_of

_PATH = re.compile(r"(?<![\w/.{])(?:nfmasq|tests|docs|deploy|_hot|\.ci)/[\w./*-]*[\w*/](?![\w<])")

ELSEWHERE = ("nfmasq/nfmasq.toml", "nfmasq/control.sock", "nfmasq/state", "nfmasq/forwards.json")
"""Ends of paths on an installed router."""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_pages_and_headings_that_are_there(page: Path) -> None:
    wrong = []
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        where = (page.parent / target).resolve() if target else page
        if not where.exists() or (anchor and anchor not in anchors(where)):
            wrong.append(link)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_are_there(page: Path) -> None:
    named = {path for text in code(page) for path in _PATH.findall(text) if path not in ELSEWHERE}
    assert not sorted(path for path in named if not _is_there(path))


def _is_there(path: str) -> bool:
    places = (ROOT, ROOT / "nfmasq")
    return any((place / path).exists() or [*place.glob(path.rstrip("/"))] for place in places)

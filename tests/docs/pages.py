"""The pages for people, cut into what the tests look at: code blocks, links, anchors, sentences."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

PAGES = (
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "design").glob("*.md")),
)

_FENCE = re.compile(r"^```(?P<info>.*)\n(?P<text>(?:.*\n)*?)^```$", re.MULTILINE)
_INDENTED = re.compile(r"(?<=\n\n)(?:(?: {4}.*)?\n)+")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
_SENTENCE_END = re.compile(r'(?<=[.!?])[)*_]*\s+(?=[A-Za-z0-9*("])')


class Block(NamedTuple):
    """A fenced block: its language, the words after it, and its text."""

    language: str
    words: tuple[str, ...]
    text: str


def name_of(page: Path) -> str:
    """A page's name in the list of tests: its path from the root of the tree."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found = _FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(*_split(match["info"]), match["text"]) for match in found]


def _split(info: str) -> tuple[str, tuple[str, ...]]:
    language, *words = info.split() or [""]
    return language, tuple(words)


def code(page: Path) -> list[str]:
    """All code of a page, a string each: the lines of its blocks, the spans of its prose."""
    text = _COMMENT.sub("", page.read_text(encoding="utf-8"))
    lines = [line for block in blocks(page) for line in block.text.splitlines()]
    text = _FENCE.sub("", text)
    lines += [line.strip() for match in _INDENTED.finditer(text) for line in match[0].splitlines()]
    return [*filter(None, lines), *_SPAN.findall(_INDENTED.sub("", text))]


def links(page: Path) -> list[str]:
    """Where the links of a page lead."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [target for _, target in _LINK.findall(text)]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, made as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def sentences(page: Path) -> list[str]:
    """The sentences of a page's prose, without its tables. An item of a list is a paragraph of its own."""
    return [
        sentence
        for paragraph in _paragraphs(page)
        if not paragraph.startswith("|")
        for sentence in _SENTENCE_END.split(paragraph)
        if re.search("[a-z]", sentence)
    ]


def sentences_of(text: str) -> list[str]:
    """The sentences of one paragraph of plain text; code in backquotes is a word."""
    joined = _SPAN.sub("Code", " ".join(text.split()))
    return [sentence for sentence in _SENTENCE_END.split(joined) if re.search("[a-z]", sentence)]


def cells(page: Path) -> list[str]:
    """The cells of a page's tables."""
    rows = (paragraph for paragraph in _paragraphs(page) if paragraph.startswith("|"))
    return [cell.strip() for row in rows for cell in row.strip("|").split("|")]


def _paragraphs(page: Path) -> Iterator[str]:
    text = _FENCE.sub("\n", _COMMENT.sub("", page.read_text(encoding="utf-8")))
    text = _LINK.sub(r"\1", _SPAN.sub("Code", _INDENTED.sub("\n", text)))
    gathered: list[str] = []
    for line in [*text.splitlines(), ""]:
        begins = not line.strip() or line.startswith(("#", "|", ">")) or _ITEM.match(line)
        if begins and gathered:
            yield " ".join(gathered)
            gathered = []
        if line.startswith("|"):
            yield line
        elif line.strip() and not line.startswith("#"):
            gathered.append(_ITEM.sub("", line).strip())

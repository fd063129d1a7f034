"""Sentences a tired reader takes in at the first reading: short ones."""

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import click
import pytest

from docs.pages import PAGES, ROOT, cells, name_of, sentences, sentences_of
from nfmasq.cli import main

LONG, LONGEST = 25, 40
"""Words: more than the first are for a few sentences, more than the second for none."""

FEW = 0.03
USUAL = 16
"""The median may have so many words."""

OTHERS = ("performance.md", "rfc-compliance.md", "writing-a-helper.md")
NOT_COUNTED = {ROOT / "docs" / name for name in OTHERS}
"""The first two are written by programs, the third is a tutorial around code."""


def assert_short(prose: list[str]) -> None:
    """Sentences within the bounds."""
    counted = sorted((len(sentence.split()), sentence) for sentence in prose)
    lengths = [length for length, _ in counted]
    long = [f"{length} words: {sentence}" for length, sentence in counted if length > LONG]
    assert lengths[-1] <= LONGEST, long[-1]
    assert len(long) <= max(1, FEW * len(counted)), "\n".join(long)
    assert median(lengths) <= USUAL


@pytest.mark.parametrize("page", sorted({*PAGES} - NOT_COUNTED), ids=name_of)
def test_sentences_are_short(page: Path) -> None:
    assert_short(sentences(page))


def commands(above: click.Command = main) -> Iterator[click.Command]:
    """A command, and all its subcommands."""
    yield above
    if isinstance(above, click.Group):
        context = click.Context(above)
        for name in above.list_commands(context):
            command = above.get_command(context, name)
            assert command is not None
            yield from commands(command)


def said_by(command: click.Command) -> list[str]:
    """The sentences of its --help, without examples and lists."""
    shown = [param for param in command.params if isinstance(param, click.Option) and not param.hidden]
    texts = [command.help or "", command.epilog or "", *(option.help or "" for option in shown)]
    paragraphs = [each.strip() for text in texts for each in text.split("\n\n") if "\b" not in each]
    return [sentence for each in paragraphs for sentence in sentences_of(each)]


@pytest.mark.parametrize("command", [*commands()], ids=lambda command: command.name)
def test_the_help_of_a_command_is_short(command: click.Command) -> None:
    assert_short(said_by(command))


def test_the_comments_of_the_shipped_file_are_short() -> None:
    """A line that begins with "# " is a comment; "#key" is a key that is commented out, "#  " is a list.

    Of a list of values such as "a": …; "b": …, each counts by itself.
    """
    text = (ROOT / "deploy" / "nfmasq.toml").read_text(encoding="utf-8")
    paragraphs = [each.replace("# ", "") for each in re.findall(r"(?:^# \S.*\n)+", text, re.MULTILINE)]
    assert len(paragraphs) > 20
    clauses = [clause for each in paragraphs for clause in re.split(r';\s+(?=")', each)]
    assert_short([sentence for each in clauses for sentence in sentences_of(each)])


@pytest.mark.parametrize("page", sorted({*PAGES} - NOT_COUNTED), ids=name_of)
def test_cells_of_tables_are_short(page: Path) -> None:
    assert not [cell for cell in cells(page) if len(cell.split()) > LONGEST]

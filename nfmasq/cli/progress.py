"""The progress of a long command, on stderr."""

import sys
from collections.abc import Callable

import click


class Progress:
    """On a terminal one line that is overwritten and erased at the end, else a line each."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Callable[[str], None]:
        return self._say

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            click.echo("\r\033[K", nl=False, err=True)

    def _say(self, text: str) -> None:
        click.echo(f"\r\033[K{text}" if self._terminal else text, nl=not self._terminal, err=True)

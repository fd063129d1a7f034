"""A start that failed: its error message and its exit code."""

from collections.abc import Iterable

from nfmasq.exits import Exit


class StartFailed(Exception):
    """The daemon cannot start. lines: each names the fault and what to do."""

    def __init__(self, lines: str | Iterable[str], code: Exit = Exit.FAILED) -> None:
        self.lines = [lines] if isinstance(lines, str) else list(lines)
        self.code = code
        super().__init__("; ".join(self.lines))

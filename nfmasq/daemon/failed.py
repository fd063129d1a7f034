"""A start that cannot go on: what to say, and how to end."""

from collections.abc import Iterable

from nfmasq.exits import Exit


class StartFailed(Exception):
    """The daemon cannot start. lines: each names what is wrong and the mend."""

    def __init__(self, lines: str | Iterable[str], code: Exit = Exit.FAILED) -> None:
        self.lines = [lines] if isinstance(lines, str) else list(lines)
        self.code = code
        super().__init__("; ".join(self.lines))

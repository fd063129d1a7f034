"""Markdown, and the plots that stand in it."""

from collections.abc import Iterator, Sequence


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table whose first row is the head, numbers to the right, and an empty line."""
    for number, row in enumerate(rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        if number == 0:
            yield "|---" + "|---:" * (len(row) - 1) + "|"
    yield ""


class Plots:
    """The plots of a page, by their paths below its directory; `add` alone adds."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.files: dict[str, str] = {}

    def add(self, name: str, svg: str, title: str) -> Iterator[str]:
        """The lines that show a plot, and an empty one."""
        path = f"{self.directory}/{name}.svg"
        self.files[path] = svg
        yield from (f"![{title}]({path})", "")

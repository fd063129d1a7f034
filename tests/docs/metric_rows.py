"""The table of docs/metrics.md: a row for each family a daemon serves, with its kind, labels and help.

`python tests/docs/metric_rows.py`, as root, writes it anew.
"""

import http.client
import re
from collections.abc import Iterable
from pathlib import Path

from nfmasq.lab.lab import Lab

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- metrics -->\n", "<!-- end of metrics -->\n"
HEAD = "| metric | kind | labels | help |\n|---|---|---|---|\n"

_LINE = re.compile(r"# (?P<what>HELP|TYPE) (?P<name>nfmasq_\w+) (?P<text>.*)")


def rows(exposition: Iterable[str]) -> list[str]:
    """The rows of nfmasq's own families in a scrape, in the scrape's order."""
    helps: dict[str, str] = {}
    kinds: dict[str, str] = {}
    labels: dict[str, str] = {}
    for line in exposition:
        if match := _LINE.match(line):
            (helps if match["what"] == "HELP" else kinds)[match["name"]] = match["text"]
        elif line.startswith("nfmasq_"):
            name, _, inside = line.partition("{")
            name = re.sub(r"_(count|sum|created)$", "", name.split(" ")[0]) if name not in helps else name
            labels.setdefault(name, ", ".join(f"`{each}`" for each in re.findall(r'(\w+)="', inside)))
    return [f"| `{name}` | {kinds[name]} | {labels.get(name, '')} | {helps[name]} |\n" for name in helps]


def shown() -> list[str]:
    """The rows of the page's table."""
    table = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    return table.removeprefix(HEAD).splitlines(keepends=True)


def scrape(lab: Lab) -> list[str]:
    """What the lab's daemon serves at /metrics, by lines."""

    def read() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", 9853, timeout=10)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    return lab.topology.router.call(read).splitlines()


def renew(exposition: Iterable[str]) -> None:
    """Write the page's table anew."""
    before, _, text = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = text.partition(END)[2]
    table = BEGIN + HEAD + "".join(rows(exposition)) + END
    PAGE.write_text(before + table + after, encoding="utf-8")


if __name__ == "__main__":
    with Lab() as made:
        renew(scrape(made))

"""`nfmasq top`: rates and the busiest sessions, live.

What is stored: the last two readings of the daemon; all rates are their difference.
"""

import json
import sys
import time
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from nfmasq.cli.ask import client_command
from nfmasq.cli.columns import heading, lines, titled
from nfmasq.control.client import Answer, Client
from nfmasq.control.columns import rounded
from nfmasq.control.listings import SESSIONS
from nfmasq.control.readable import si

SESSIONS_READ = 5000
"""More than a screen could show, and few enough to read every second."""

COLUMNS = (*SESSIONS.columns[:5], rounded("bits_per_s", "BIT/S", 8))
_HEADER_LINES = 8


class Reading(NamedTuple):
    """The daemon's answers at one moment (seconds of the monotonic clock)."""

    at: float
    status: Answer
    sessions: dict[tuple[str, ...], Answer]


@click.command(
    epilog="""\b
Examples:
  nfmasq top
  nfmasq top --count 1 --json | jq .rates

Ctrl-C ends it. Next: `nfmasq sessions --host A` for one host's sessions."""
)
@click.option(
    "--every", type=click.FloatRange(0.2), default=1.0, show_default=True, help="Seconds between readings."
)
@click.option("--count", type=click.IntRange(0), default=0, metavar="N", help="End after so many; 0: never.")
@client_command
def top(client: Client, as_json: bool, every: float, count: int) -> None:
    """Packets and bits a second, and the busiest sessions, renewed every second.

    Only the first 5000 sessions of the list are compared. With --json, or when the output is no terminal,
    each reading is printed below the one before.
    """
    try:
        if as_json or not sys.stdout.isatty():
            _print_readings(client, as_json, every, count)
        else:
            _show(client, every, count)
    except KeyboardInterrupt:
        pass


def _print_readings(client: Client, as_json: bool, every: float, count: int) -> None:
    for before, now in _readings(client, every, count):
        if as_json:
            click.echo(
                json.dumps({"schema": 1, "rates": rates(before, now), "sessions": busiest(before, now, 20)})
            )
        else:
            click.echo("\n".join(_screen(before, now, 30)) + "\n")


def _show(client: Client, every: float, count: int) -> None:
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for before, now in _readings(client, every, count):
            live.update(_text(_screen(before, now, console.height)), refresh=True)


def _text(shown: list[str]) -> Text:
    return Text("\n".join(shown), no_wrap=True, overflow="crop")


def _readings(client: Client, every: float, count: int) -> Any:
    """Pairs of readings, one a period, `count` of them (0: without end)."""
    before = _read(client)
    done = 0
    while not count or done < count:
        time.sleep(every)
        now = _read(client)
        yield before, now
        before = now
        done += 1


def _read(client: Client) -> Reading:
    at = time.monotonic()
    status = client.get("/v1/status")
    sessions: dict[tuple[str, ...], Answer] = {}
    for part in client.rows("sessions", SESSIONS_READ):
        for row in part.rows:
            sessions[row["protocol"], row["internal"], row["remote"]] = row
    return Reading(at, status, sessions)


def rates(before: Reading, now: Reading) -> dict[str, dict[str, float]]:
    """Packets and bits a second, by direction."""
    seconds = max(now.at - before.at, 1e-6)

    def grown(what: str, direction: str) -> int:
        total, then = (sum(reading.status[what][direction].values()) for reading in (now, before))
        return int(total - then)

    return {
        direction: {
            "packets_per_s": round(grown("packets", direction) / seconds, 1),
            "bits_per_s": round(8 * grown("bytes", direction) / seconds, 1),
        }
        for direction in now.status["packets"]
    }


def busiest(before: Reading, now: Reading, most: int) -> list[Answer]:
    """The sessions which moved the most bytes between two readings, each with its `bits_per_s`."""
    seconds = max(now.at - before.at, 1e-6)

    def moved(key: tuple[str, ...], row: Answer) -> int:
        then = before.sessions.get(key, {"bytes_out": 0, "bytes_in": 0})
        grown: int = row["bytes_out"] + row["bytes_in"] - then["bytes_out"] - then["bytes_in"]
        return max(grown, 0)

    rated = [
        {**row, "bits_per_s": round(8 * moved(key, row) / seconds, 1)} for key, row in now.sessions.items()
    ]
    rated.sort(key=lambda row: -row["bits_per_s"])
    return rated[:most]


def _screen(before: Reading, now: Reading, height: int) -> list[str]:
    status = now.status
    counts = ", ".join(f"{count} {name}" for name, count in status["sessions"].items())
    dropped = status["dropped"] - before.status["dropped"]
    rows = busiest(before, now, max(height - _HEADER_LINES - 1, 5))
    return [
        f"nfmasq {status['state']}  {', '.join(status['external_addresses']) or 'no address'} "
        f"on {status['external_interface']}  {'; '.join(status['problems'])}",
        *titled(
            [
                *((direction, _rate(rate)) for direction, rate in rates(before, now).items()),
                ("sessions", counts),
                ("dropped", f"{status['dropped']} packets, {dropped} of them just now"),
            ]
        ),
        "",
        heading(COLUMNS),
        *lines(COLUMNS, rows),
    ]


def _rate(rate: dict[str, float]) -> str:
    return f"{si(rate['bits_per_s']):>7}bit/s {si(rate['packets_per_s']):>7} packets/s"

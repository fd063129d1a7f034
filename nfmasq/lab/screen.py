"""The live view of the lab: the tour as it goes, the router's rates, and the busiest sessions.

What is stored: the outcomes shown to it, and the last two readings of the daemon, out of whose difference the
rates come. The drawing thread alone reads the daemon; the tour's thread alone writes outcomes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonError
from nfmasq.lab.tour import BETWEEN, STEPS, Outcome, Step, take

ROOMY = 32
"""Lines a terminal must have for the tour to be shown step by step."""
LINES_WITHOUT_SESSIONS = 13 + len(STEPS)
SESSIONS_READ = 5000
READ_EVERY = 1.0  # seconds; drawing between two readings costs the daemon nothing

SessionKey = tuple[str, str, str]


@dataclass
class Reading:
    """What the daemon said at one moment (seconds of the monotonic clock)."""

    at: float = 0.0
    status: Mapping[str, Any] = field(default_factory=dict)
    sessions: Mapping[SessionKey, Mapping[str, Any]] = field(default_factory=dict)


class Screen:
    """Call `render` as often as wanted; `note` and `begin` tell it how the tour goes."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._round = 0
        self._outcomes: dict[str, Outcome] = {}
        self._running = ""
        self._before, self._now = Reading(), Reading()
        self._trouble = ""

    def begin(self, step: Step) -> None:
        """This step is being taken now."""
        if step is STEPS[0]:
            self._round += 1
        self._running = step.title

    def note(self, outcome: Outcome) -> None:
        """This step has been taken."""
        self._outcomes[outcome.step.title] = outcome
        self._running = ""

    def render(self, height: int) -> RenderableType:
        """The whole screen as it should look now, on a terminal of this many lines."""
        if self._lab.daemon is not None and time.monotonic() - self._now.at >= READ_EVERY:
            self._read()
        roomy = height >= ROOMY
        tour = self._tour() if roomy else self._tour_in_a_line()
        room = height - (LINES_WITHOUT_SESSIONS if roomy else LINES_WITHOUT_SESSIONS - len(STEPS))
        return Group(self._head(), tour, self._rates(), self._sessions(max(room, 1)))

    def _read(self) -> None:
        daemon = self._lab.daemon
        if daemon is None:
            return
        try:
            status = daemon.api("/v1/status")
            rows = daemon.api(f"/v1/sessions?limit={SESSIONS_READ}")["sessions"]
        except DaemonError as error:
            self._trouble = str(error)
            return
        self._trouble = ""
        self._before = self._now
        keyed = {(row["protocol"], row["internal"], row["remote"]): row for row in rows}
        self._now = Reading(time.monotonic(), status, keyed)

    def _head(self) -> RenderableType:
        there = self._lab.topology
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(
            f"{there.client1_address}, {there.client2_address} → router {there.external} → "
            f"{there.server1_address}, {there.isp_address} → {there.server2_address}\n"
        )
        if self._lab.daemon is not None:
            text.append(f"look closer: nfmasq sessions --socket {self._lab.daemon.socket_path}\n", "dim")
        leaks = self._lab.sentinel.leaks
        text.append(f"sentinel: {self._lab.sentinel.frames} frames left the router, ")
        if leaks:
            text.append(f"{len(leaks)} leaked: {leaks[0]}", "red")
        else:
            text.append("no internal address among them", "green")
        return Panel(text, title="nfmasq lab", subtitle="Ctrl-C ends it and leaves nothing behind")

    def _tour_in_a_line(self) -> RenderableType:
        failed = [outcome for outcome in self._outcomes.values() if not outcome.passed]
        passed = len(self._outcomes) - len(failed)
        text = Text(f"tour, round {self._round}: {passed} of {len(STEPS)} passed", no_wrap=True)
        text.append(f"; now {self._running}" if self._running else "")
        for outcome in failed:
            text.append(f"\n✘ {outcome.step.title}: {outcome.said}", "red")
        return text

    def _tour(self) -> RenderableType:
        table = Table(title=f"tour, round {self._round}", expand=True, title_justify="left", box=None)
        table.add_column("", width=2)
        table.add_column("step", no_wrap=True)
        table.add_column("seen", ratio=1, no_wrap=True)
        for step in STEPS:
            outcome = self._outcomes.get(step.title)
            if step.title == self._running:
                table.add_row(Text("▶", "yellow"), step.title, Text("…", "dim"))
            elif outcome is None:
                table.add_row("", Text(step.title, "dim"), "")
            else:
                mark = Text("✔", "green") if outcome.passed else Text("✘", "red")
                table.add_row(mark, step.title, Text(outcome.said, "" if outcome.passed else "red"))
        return table

    def _rates(self) -> RenderableType:
        if self._trouble:
            return Text(self._trouble, "red")
        now, before = self._now, self._before
        if not now.status:
            return Text("")
        seconds = now.at - before.at if before.status else 0.0
        table = Table(expand=True, box=None)
        for heading in ("", "Mbit/s", "packets/s", "packets"):
            table.add_column(heading, justify="right" if heading else "left")
        for direction in ("outbound", "inbound"):
            packets = sum(now.status["packets"][direction].values())
            row = [direction, "", "", f"{packets}"]
            if seconds:
                bits = 8 * _grown(now, before, "bytes", direction) / seconds
                row[1:3] = [f"{bits / 1e6:.1f}", f"{_grown(now, before, 'packets', direction) / seconds:.0f}"]
            table.add_row(*row)
        counts = ", ".join(f"{count} {protocol}" for protocol, count in now.status["sessions"].items())
        return Group(table, Text(f"sessions: {counts};  dropped: {now.status['dropped']} packets"))

    def _sessions(self, room: int) -> RenderableType:
        if self._lab.daemon is None:
            return Text("")
        table = Table(title="busiest sessions", expand=True, title_justify="left", box=None)
        for heading in ("protocol", "internal", "external", "remote", "state"):
            table.add_column(heading, no_wrap=True)
        for heading in ("out", "in", "Mbit/s"):
            table.add_column(heading, justify="right", no_wrap=True)
        seconds = max(self._now.at - self._before.at, 0.001)
        rated = [(self._growth(key, row), row) for key, row in self._now.sessions.items()]
        rated.sort(key=lambda each: (-each[0], each[1]["age_s"]))
        for grown, row in rated[:room]:
            ends = [str(row[key]) for key in ("protocol", "internal", "external", "remote", "state")]
            sums = [_short(row["bytes_out"]), _short(row["bytes_in"])]
            table.add_row(*ends, *sums, f"{8 * grown / seconds / 1e6:.2f}")
        return table

    def _growth(self, key: SessionKey, row: Mapping[str, Any]) -> int:
        then = self._before.sessions.get(key)
        before = then["bytes_out"] + then["bytes_in"] if then else 0
        return max(int(row["bytes_out"] + row["bytes_in"]) - int(before), 0)


def _grown(now: Reading, before: Reading, what: str, direction: str) -> int:
    return int(sum(now.status[what][direction].values()) - sum(before.status[what][direction].values()))


def _short(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def watch(lab: Lab) -> None:
    """Take the tour again and again with the view on the terminal, until a KeyboardInterrupt."""
    screen = Screen(lab)
    console = Console()

    def draw() -> RenderableType:
        return screen.render(console.height)

    with Live(get_renderable=draw, console=console, screen=True, refresh_per_second=4):
        while True:
            for step in STEPS:
                screen.begin(step)
                screen.note(take(step, lab))
            screen.begin(BETWEEN)
            take(BETWEEN, lab)

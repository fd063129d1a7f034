"""The delay that a helper at work causes to others: round trips of a client's datagrams, as in `pingpong`.

The daemon is the real one, on the lab's router. Another client meanwhile does nothing; or pours PORT lines
down an FTP control connection; or makes a third party's helper loop until it is cut off. All ends share the
processors, and a processor that sleeps takes its time to wake up. So a program that only computes is a state
too, and the helpers' work is compared with it.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nfmasq.bench import pingpong
from nfmasq.bench.family import Child
from nfmasq.bench.programs import running
from nfmasq.bench.reading import BenchError, Reading
from nfmasq.bench.results import Ratio, ratio
from nfmasq.lab.router import DaemonError, DaemonUnderLab
from nfmasq.lab.topology import Topology
from perf import pouring
from perf.looping import Looping, installed

IDLE, COMPUTING, BUSY, LOOPING = "idle", "computing", "busy", "looping"
TITLES = {
    IDLE: "nothing works",
    COMPUTING: "a program computes, no helper works",
    BUSY: "a busy FTP control connection",
    LOOPING: "a helper that loops until it is cut off",
}
"""The states, in the order in which a round takes them, for people."""
HELPERS_WORK = (BUSY, LOOPING)

ROUNDS, QUICK_ROUNDS = 5, 1
SECONDS = 1.0
"""Of each measurement: a helper that is cut off again and again is soon disabled."""


@dataclass
class Neighbours:
    """readings: of each state, one a round. rates: PORT lines a second; shares: of them, what part of the
    time the engine was at work; cut_off: calls that were."""

    readings: dict[str, list[Reading]] = field(default_factory=lambda: {state: [] for state in TITLES})
    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    cut_off: int = 0

    def values(self, state: str, figure: str) -> list[float]:
        """Seconds, one a round."""
        return [reading.values[figure] for reading in self.readings[state]]

    def ratio(self, state: str, against: str, figure: str) -> Ratio | None:
        """What a state makes of a figure."""
        return ratio(self.values(state, figure), self.values(against, figure))


def neighbours(rounds: int, progress: Callable[[str], None]) -> Neighbours:
    """Take so many rounds of all states. Raises BenchError."""
    found = Neighbours()
    try:
        with _bed() as bed:
            for number in range(rounds):
                for state, title in TITLES.items():
                    progress(f"round {number + 1} of {rounds}: round trips, {title}")
                    found.readings[state].append(_TAKE[state](bed, found))
    except (DaemonError, OSError, RuntimeError) as error:
        raise BenchError(f"the delay by helpers could not be measured: {error}") from None
    return found


@dataclass(frozen=True)
class _Bed:
    topology: Topology
    daemon: DaemonUnderLab

    def ask(self) -> Reading:
        """The one client's datagrams."""
        return pingpong.asked(self.topology.client1, self.topology.server1_address, SECONDS)

    def helper(self, name: str) -> dict[str, Any]:
        """What the daemon says of a helper."""
        rows: list[dict[str, Any]] = self.daemon.api("/v1/helpers")["helpers"]
        return next(row for row in rows if row["name"] == name)

    @contextmanager
    def at_work(self, what: str) -> Iterator[None]:
        """The other client's program meanwhile."""
        server = str(self.topology.server1_address)
        with running(self.topology.client2, pouring.__name__, what, server):
            yield


@contextmanager
def _bed() -> Iterator[_Bed]:
    with ExitStack() as stack:
        place = stack.enter_context(installed())
        here = str(Path(__file__).parents[1])
        topology = stack.enter_context(Topology())
        with _found_by_python(place, here):
            daemon = stack.enter_context(DaemonUnderLab(topology))
        ports = (str(port) for port in (pouring.FTP, *Looping.ports))
        stack.enter_context(running(topology.server1, pouring.__name__, "serve", *ports))
        stack.enter_context(running(topology.server1, pingpong.__name__, "serve"))
        yield _Bed(topology, daemon)


@contextmanager
def _found_by_python(*places: str) -> Iterator[None]:
    """Programs that start meanwhile find what is installed there."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (before, *places)))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _idle(bed: _Bed, _: Neighbours) -> Reading:
    return bed.ask()


def _computing(bed: _Bed, _: Neighbours) -> Reading:
    child = Child(_compute)
    try:
        return bed.ask()
    finally:
        child.end()


def _compute() -> None:
    os.setsid()  # the scheduler may share processors among sessions, as the daemon is one
    while True:
        pass


def _busy(bed: _Bed, found: Neighbours) -> Reading:
    with bed.at_work("pour"):
        before, began = bed.helper("ftp"), time.monotonic()
        reading = bed.ask()
        after, taken = bed.helper("ftp"), time.monotonic() - began
    found.rates.append((after["messages"]["rewritten"] - before["messages"]["rewritten"]) / taken)
    found.shares.append((after["seconds"] - before["seconds"]) / taken)
    if not found.rates[-1]:
        raise BenchError("the FTP helper rewrote nothing")
    return reading


def _looping(bed: _Bed, found: Neighbours) -> Reading:
    bed.daemon.api(f"/v1/helpers/{Looping.name}", "PUT", {"enabled": True})  # forgets earlier cut-offs
    before = bed.helper(Looping.name)["messages"]["error"]
    with bed.at_work("loop"):
        reading = bed.ask()
    cut_off = bed.helper(Looping.name)["messages"]["error"] - before
    if not cut_off:
        raise BenchError("the helper that loops was never cut off")
    found.cut_off += cut_off
    return reading


_TAKE: dict[str, Callable[[_Bed, Neighbours], Reading]] = dict(
    zip(TITLES, (_idle, _computing, _busy, _looping), strict=True)
)

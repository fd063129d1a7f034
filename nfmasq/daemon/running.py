"""A running daemon: what it watches, and what may be asked of it.

What is stored: the table, the workers and the supervisor it was given, and whether the last reload was good.
One event loop in the main thread hears the doorbells, counts the heartbeats and answers; one thread of its
own, `_hand`, does everything that changes policy or rules, one thing after the other. `serve` ends when asked
to, or when a worker failed.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, TypeVar

from nfmasq._fastpath import Table
from nfmasq.config import ConfigError, ConfigInvalid, warnings_of
from nfmasq.control.schemas import ReloadOutcome, Situation
from nfmasq.core.worker import Worker
from nfmasq.daemon import standstill
from nfmasq.daemon.heartbeat import Heartbeat
from nfmasq.daemon.notify import notify, watchdog_s
from nfmasq.daemon.refuse import Refuser
from nfmasq.daemon.reload import read_again
from nfmasq.daemon.supervise import Supervisor
from nfmasq.helpers.engine.counters import HelperCounters
from nfmasq.machine.interfaces import UplinkMissing
from nfmasq.machine.watches import LinkWatch, RulesWatch
from nfmasq.runtime.forwards import Entry
from nfmasq.runtime.helpers import Entry as HelperEntry

TICK_S = 1.0
SHORTEST_TICK_S = 0.5
"""An idle worker turns four times a second; looked at more often it would seem stuck."""
COALESCE_S = 0.05
"""How long a doorbell waits for the next: changes come in bursts, and one look sees them all."""

log = logging.getLogger("nfmasq")

T = TypeVar("T")


class Daemon:
    """A running daemon, as the control API and the metrics see it."""

    def __init__(
        self,
        config_path: Path,
        table: Table,
        workers: Sequence[Worker],
        supervisor: Supervisor,
        end: asyncio.Event,
    ) -> None:
        self.table = table
        self.workers = workers
        self.started = time.time()
        self.failure = ""
        self._since = time.monotonic()
        self._config_path = config_path
        self._supervisor = supervisor
        self._helping = supervisor.helping
        self._heartbeat = Heartbeat(workers)
        self._refuser = Refuser(table)
        self._reload_successful = True
        self._hand = ThreadPoolExecutor(1, thread_name_prefix="hand")
        self._bell = asyncio.Event()
        self._end = end

    @property
    def uptime_s(self) -> int:
        """Seconds since the start."""
        return int(time.monotonic() - self._since)

    def situation(self) -> Situation:
        """What the daemon knows of its surroundings now."""
        seen = self._supervisor.situation()
        warnings = [*warnings_of(self._supervisor.config), *seen.warnings]
        if self.table.warning:
            warnings.append(f"the sessions found at the start were given up: {self.table.warning}")
        if not self._reload_successful:
            warnings.append("the last reload was refused; the configuration before it is in force")
        return replace(
            seen,
            problems=(*seen.problems, *self._heartbeat.problems(), *self._helping.problems()),
            reload_successful=self._reload_successful,
            warnings=tuple(warnings),
        )

    async def reload(self) -> ReloadOutcome:
        """Read the configuration again; take it over when it is good."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        outcome = await self._in_hand(self._read_and_adopt)
        self._reload_successful = not outcome.errors
        for error in outcome.errors:
            log.error("reload refused: %s", error)
        for warning in outcome.warnings:
            log.warning("%s", warning)
        if not outcome.errors:
            log.info("reloaded %s", self._config_path)
        notify("READY=1")
        return outcome

    def forwards(self) -> Sequence[Entry]:
        """All forwards in force, and where each comes from."""
        return self._supervisor.forwards.entries

    async def add_forward(self, table: dict[str, Any], persist: bool) -> Entry:
        """Add a forward, kept across restarts if so asked. Raises ConfigInvalid and ForwardRefused."""
        entry = await self._in_hand(lambda: self._supervisor.add_forward(table, persist))
        log.info("forward %s added on request%s", entry.forward.id, ", and kept" if persist else "")
        return entry

    async def remove_forward(self, identity: str) -> Entry:
        """End a forward that was added. Raises NoSuchForward and ForwardRefused."""
        entry = await self._in_hand(lambda: self._supervisor.remove_forward(identity))
        log.info("forward %s removed on request", identity)
        return entry

    def helpers(self) -> Mapping[str, HelperEntry]:
        """Every helper that could be loaded, by its name."""
        return self._helping.board.entries

    def helper_counters(self) -> Mapping[str, HelperCounters]:
        """What each helper has counted."""
        return self._helping.counters()

    def expectations(self) -> int:
        """How many sessions that helpers announced nobody has come to yet."""
        return self._helping.expectations()

    async def turn_helper(self, name: str, enabled: bool, network: IPv4Network | None) -> HelperEntry:
        """Switch a helper for one network's hosts, or all. Raises NoSuchHelper and HelperRefused."""
        entry = await self._in_hand(lambda: self._supervisor.turn_helper(name, enabled, network))
        where = f"for {network}" if network else "everywhere"
        log.info("helper %s switched %s %s on request", name, "on" if enabled else "off", where)
        return entry

    async def begin(self) -> None:
        """Start the helpers, serve the queues, and set up policy, guard and rules."""
        self._helping.start()
        for worker in self.workers:
            worker.start()
        await self._in_hand(self._supervisor.begin)

    async def serve(self) -> None:
        """Say "ready" and watch over everything until asked to end, or until a worker failed."""
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[ReloadOutcome]] = set()

        def on_hangup() -> None:
            task = loop.create_task(self.reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        loop.add_signal_handler(signal.SIGHUP, on_hangup)
        watches = self._watch(loop)
        tasks = [
            loop.create_task(watching)
            for watching in (self._supervise(), self._beat(), self._refuser.serve())
        ]
        log.info("ready: %s", self._ready_line())
        notify("READY=1")
        ended = loop.create_task(self._end.wait())
        try:
            done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for finished in done:
                finished.result()  # a watch that broke must end the daemon, not leave it blind
        finally:
            for task in (ended, *tasks, *reloads):
                task.cancel()
            await asyncio.gather(ended, *tasks, *reloads, return_exceptions=True)
            for watch in watches:
                loop.remove_reader(watch.fileno())
                watch.close()

    async def withdraw(self) -> None:
        """Take rules and guard out, after whatever the hand is still doing."""
        await self._in_hand(self._supervisor.withdraw)

    def close(self) -> None:
        """End the hand's thread, and tell nobody any more of refusals."""
        self._hand.shutdown()
        self._refuser.close()

    def _ready_line(self) -> str:
        """What the daemon does, in a line."""
        now = self.situation()
        state = f"degraded ({'; '.join(now.problems)})" if now.problems else "ok"
        inside = ", ".join(map(str, now.internal_networks)) or "nothing"
        outside = ", ".join(map(str, now.external_addresses)) or "nothing"
        queues = f"{self.workers[0].number} to {self.workers[-1].number}"
        return (
            f"{inside} behind {', '.join(now.internal_interfaces)} appears as {outside} on "
            f"{now.external_interface}; queues {queues}; rules by {now.diversion}; "
            f"{self.table.recovered} sessions recovered; state {state}"
        )

    def _read_and_adopt(self) -> ReloadOutcome:
        try:
            config = read_again(self._config_path, self._supervisor.config)
            told = self._supervisor.adopt(config)
        except ConfigInvalid as invalid:
            return ReloadOutcome(errors=tuple(invalid.errors))
        except UplinkMissing as missing:
            return ReloadOutcome(errors=(ConfigError("nat", str(missing)),))
        return ReloadOutcome(warnings=(*warnings_of(config), *told))

    async def _in_hand(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._hand, work)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> list[LinkWatch | RulesWatch]:
        watches: list[LinkWatch | RulesWatch] = []
        for kind in (LinkWatch, RulesWatch):
            try:
                watch = kind()
            except OSError as error:
                log.warning(
                    "no %s here (%s): changes are seen within a second all the same", kind.__name__, error
                )
                continue
            watches.append(watch)
            loop.add_reader(watch.fileno(), self._ring, watch)
        return watches

    def _ring(self, watch: LinkWatch | RulesWatch) -> None:
        watch.drain()
        self._bell.set()

    async def _supervise(self) -> None:
        said = ""
        while True:
            try:
                await self._in_hand(self._supervisor.reconcile)
            except Exception as error:  # a fault of ours must not end the translation that works
                if str(error) != said:
                    said = str(error)
                    log.exception("the look at the surroundings failed; it is tried again every second")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), TICK_S)
                await asyncio.sleep(COALESCE_S)
            self._bell.clear()

    async def _beat(self) -> None:
        """The sign of life: only while every worker turns."""
        watchdog = watchdog_s()
        every = max(SHORTEST_TICK_S, min(TICK_S, watchdog / 3 or TICK_S))
        said = ""
        while True:
            standstill.postpone()
            alive = self._heartbeat.beat()
            self._helping.beat()  # without helpers the translation goes on
            failed = [worker.failure for worker in self.workers if worker.failure]
            if failed:
                self.failure = "; ".join(failed)
                self._end.set()
                return
            problems = "; ".join(self.situation().problems)
            if problems != said:
                said = problems
                notify(f"STATUS={'degraded: ' + problems if problems else 'ok'}")
            if alive and watchdog:
                notify("WATCHDOG=1")
            await asyncio.sleep(every)

"""A running daemon: its parts, its situation and its reload.

What is stored: the parts, whether the last reload was good, the warnings about the configuration in force,
and a reading of the guard's drops that goes on. The control API, the metrics and the page read it in the
event loop's thread. The hand, a thread of its own, makes all changes of policy and rules. `close` ends the
hand.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nfmasq._fastpath import Table
from nfmasq.config import Config, ConfigError, warnings_of
from nfmasq.control.running import ReloadOutcome, Situation
from nfmasq.core.worker import Worker
from nfmasq.daemon.fill_levels import FillLevels
from nfmasq.daemon.forwards import ForwardsInForce
from nfmasq.daemon.hand import Hand
from nfmasq.daemon.heartbeat import Heartbeat
from nfmasq.daemon.helpers import HelpersInForce
from nfmasq.daemon.looks import Looks
from nfmasq.daemon.notify import notify
from nfmasq.daemon.refuse import Refuser
from nfmasq.daemon.reload import adopt
from nfmasq.daemon.reserve import Reserver
from nfmasq.daemon.supervise import Supervisor

DROPS_PATIENCE_S = 0.25
"""How long an answer waits for a new reading of the guard's drops."""
DROPS_OLD_S = 60.0
"""A reading that takes longer is worth a warning: the drops shown are of before."""

log = logging.getLogger("nfmasq")


class Daemon:
    """A running daemon, as the control API and the metrics see it. failure: why a worker ended, or ""."""

    def __init__(
        self,
        config_path: Path,
        table: Table,
        workers: Sequence[Worker],
        supervisor: Supervisor,
        reserver: Reserver,
    ) -> None:
        self.table = table
        self._reserver = reserver
        self.workers = workers
        self.looks = Looks()
        self.refuser = Refuser(table, self.looks)
        self._fill_levels = FillLevels(table)
        self.started = time.time()
        self.failure = ""
        self._hand = Hand()
        self.forwards = ForwardsInForce(supervisor, self._hand)
        self.helpers = HelpersInForce(supervisor, self._hand)
        self._since = time.monotonic()
        self._config_path = config_path
        self._supervisor = supervisor
        self._helping = supervisor.helping
        self._heartbeat = Heartbeat(workers)
        self._reload_successful = True
        self._reload_problem = ""
        self._warned: tuple[Config | None, list[str]] = None, []
        self._reading: asyncio.Task[None] | None = None
        self._reading_since = 0.0

    @property
    def uptime_s(self) -> int:
        """Seconds since the start."""
        return int(time.monotonic() - self._since)

    def situation(self) -> Situation:
        """The daemon's surroundings at this moment, with the problems of its own parts."""
        seen = self._supervisor.situation()
        warnings = [*self._config_warnings(), *seen.warnings, *self._fill_levels.warnings()]
        if self.table.warning:
            warnings.append(f"the state file at the start: {self.table.warning}")
        if not self._reload_successful and not self._reload_problem:
            warnings.append("the last reload was refused; the configuration before it is in force")
        if self._reading is not None and time.monotonic() - self._reading_since > DROPS_OLD_S:
            warnings.append("what the guard dropped cannot be read now: the counts shown are of before")
        own = (*self.looks.problems(), *([self._reload_problem] if self._reload_problem else []))
        return replace(
            seen,
            problems=(
                *seen.problems,
                *self._heartbeat.problems(),
                *self._helping.problems(),
                *self._reserver.problems(),
                *self._fill_levels.problems(),
                *own,
            ),
            reload_successful=self._reload_successful,
            warnings=tuple(warnings),
        )

    def _config_warnings(self) -> list[str]:
        """Those of the configuration in force. To find them takes 2 ms, and they are asked for often."""
        config = self._supervisor.config
        if self._warned[0] is not config:
            self._warned = config, warnings_of(config)
        return self._warned[1]

    async def begin(self) -> None:
        """Start the helpers, serve the queues, and set up policy, guard and rules."""
        self._reserver.start()
        self._helping.start()
        for worker in self.workers:
            worker.start()
        await self._hand.do(self._supervisor.begin)

    def doorbells(self) -> set[int]:
        """The descriptors that are readable when it is time to `reconcile`."""
        return self._supervisor.doorbells()

    async def reconcile(self) -> None:
        """Look at the surroundings once and correct the difference. A failure is a problem in the status."""
        with self.looks.at("the look at surroundings and rules"):
            await self._hand.do(self._supervisor.reconcile)

    async def reload(self) -> ReloadOutcome:
        """Read the configuration again, and adopt it when it is good.

        The service manager gets its READY=1 whatever happens: it would wait for it, and kill the daemon.
        """
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            return await self._reload()
        finally:
            notify("READY=1")

    async def _reload(self) -> ReloadOutcome:
        try:
            outcome = await self._hand.do(lambda: adopt(self._config_path, self._supervisor))
        except Exception as fault:  # must not end the translation
            problem = f"the last reload failed: {type(fault).__name__}; the log says why"
            log.exception("%s", problem)
            outcome = ReloadOutcome(errors=(ConfigError(str(self._config_path), problem),))
            self._reload_problem = problem  # until one succeeds: parts of the file may be in force
        self._reload_successful = not outcome.errors
        for error in outcome.errors:
            log.error("reload refused: %s", error)
        for warning in outcome.warnings:
            log.warning("%s", warning)
        if not outcome.errors:
            self._reload_problem = ""
            log.info("reloaded %s", self._config_path)
        return outcome

    async def count_guard_drops(self) -> None:
        """Read what the guard has dropped, for the next situation, if that takes no longer than a moment.

        The hand may be busy, and a program of the system may be slow or stuck. So the reading goes on for a
        later question, and this one gets the counts of before. There is one reading at a time.
        """
        if self._reading is None:
            self._reading_since = time.monotonic()
            self._reading = asyncio.get_running_loop().create_task(self._read_drops())
        await asyncio.wait([self._reading], timeout=DROPS_PATIENCE_S)

    async def _read_drops(self) -> None:
        try:
            with self.looks.at("the reading of the guard's drops"):
                await self._hand.do(self._supervisor.rules.count_drops)
        finally:
            self._reading = None

    def beat(self) -> bool:
        """Look once whether workers and helpers still run; True when every worker does.

        The helpers do not count: without them the translation goes on.
        """
        alive = False
        with self.looks.at("the look at the workers"):
            alive = self._heartbeat.beat()
        with self.looks.at("the look at the helpers"):
            self._helping.beat()
        with self.looks.at("the look at the fill levels"):
            self._fill_levels.look()
        self.failure = "; ".join(worker.failure for worker in self.workers if worker.failure)
        return alive

    async def withdraw(self) -> None:
        """Remove the rules, after the hand has finished its work. The guard stays, so nothing leaks."""
        await self._hand.do(lambda: self._supervisor.withdraw(keep_guard=True))

    def close(self) -> None:
        """End the hand's thread, and send no more refusals."""
        self._hand.close()
        self.refuser.close()

"""A running daemon: its parts, its situation and its reload.

What is stored: the parts, and whether the last reload was good. The control API, the metrics and the page
read it in the event loop's thread. The hand, a thread of its own, makes all changes of policy and rules.
`close` ends the hand.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nfmasq._fastpath import Table
from nfmasq.config import warnings_of
from nfmasq.control.running import ReloadOutcome, Situation
from nfmasq.core.worker import Worker
from nfmasq.daemon.forwards import ForwardsInForce
from nfmasq.daemon.hand import Hand
from nfmasq.daemon.heartbeat import Heartbeat
from nfmasq.daemon.helpers import HelpersInForce
from nfmasq.daemon.notify import notify
from nfmasq.daemon.refuse import Refuser
from nfmasq.daemon.reload import adopt
from nfmasq.daemon.supervise import Supervisor

log = logging.getLogger("nfmasq")


class Daemon:
    """A running daemon, as the control API and the metrics see it. failure: why a worker ended, or ""."""

    def __init__(
        self, config_path: Path, table: Table, workers: Sequence[Worker], supervisor: Supervisor
    ) -> None:
        self.table = table
        self.workers = workers
        self.refuser = Refuser(table)
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

    @property
    def uptime_s(self) -> int:
        """Seconds since the start."""
        return int(time.monotonic() - self._since)

    def situation(self) -> Situation:
        """The daemon's surroundings at this moment, with the problems of its own parts."""
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

    async def begin(self) -> None:
        """Start the helpers, serve the queues, and set up policy, guard and rules."""
        self._helping.start()
        for worker in self.workers:
            worker.start()
        await self._hand.do(self._supervisor.begin)

    def doorbells(self) -> set[int]:
        """The descriptors that are readable when it is time to `reconcile`."""
        return self._supervisor.doorbells()

    async def reconcile(self) -> None:
        """Look at the surroundings once and correct the difference."""
        await self._hand.do(self._supervisor.reconcile)

    async def reload(self) -> ReloadOutcome:
        """Read the configuration again, and adopt it when it is good."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        outcome = await self._hand.do(lambda: adopt(self._config_path, self._supervisor))
        self._reload_successful = not outcome.errors
        for error in outcome.errors:
            log.error("reload refused: %s", error)
        for warning in outcome.warnings:
            log.warning("%s", warning)
        if not outcome.errors:
            log.info("reloaded %s", self._config_path)
        notify("READY=1")
        return outcome

    async def count_guard_drops(self) -> None:
        """Read what the guard has dropped, for the next situation."""
        await self._hand.do(self._supervisor.rules.count_drops)

    def beat(self) -> bool:
        """Look once whether workers and helpers still run; True when every worker does.

        The helpers do not count: without them the translation goes on.
        """
        alive = self._heartbeat.beat()
        self._helping.beat()
        self.failure = "; ".join(worker.failure for worker in self.workers if worker.failure)
        return alive

    async def withdraw(self) -> None:
        """Remove the rules, after the hand has finished its work. The guard stays, so nothing leaks."""
        await self._hand.do(lambda: self._supervisor.withdraw(keep_guard=True))

    def close(self) -> None:
        """End the hand's thread, and send no more refusals."""
        self._hand.close()
        self.refuser.close()

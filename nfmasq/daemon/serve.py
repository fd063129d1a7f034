"""Watches over a running daemon until it is asked to end, or until a worker failed.

Nothing is stored here. One event loop in the main thread hears the doorbells and SIGHUP, sends refusals and
counts heartbeats. Each of these is a task; a task that breaks ends the daemon rather than leave it blind.
"""

import asyncio
import logging
import signal

from nfmasq.control.running import ReloadOutcome
from nfmasq.daemon import messages, standstill
from nfmasq.daemon.doorbells import TICK_S, Doorbells
from nfmasq.daemon.notify import notify, watchdog_s
from nfmasq.daemon.running import Daemon

SHORTEST_TICK_S = 0.5
"""An idle worker beats four times a second; looked at more often it would seem stuck."""

log = logging.getLogger("nfmasq")


async def serve(daemon: Daemon, end: asyncio.Event) -> None:
    """Say "ready" and watch over everything until `end` is set, or until a worker failed."""
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[ReloadOutcome]] = set()

    def on_hangup() -> None:
        task = loop.create_task(daemon.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    doorbells = Doorbells()
    tasks = [
        loop.create_task(watching)
        for watching in (_supervise(daemon, doorbells), _beat(daemon, end), daemon.refuser.serve())
    ]
    log.info("ready: %s", _ready_line(daemon))
    notify("READY=1")
    ended = loop.create_task(end.wait())
    try:
        done, _ = await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for finished in done:
            finished.result()
    finally:
        for task in (ended, *tasks, *reloads):
            task.cancel()
        await asyncio.gather(ended, *tasks, *reloads, return_exceptions=True)
        doorbells.close()


async def _supervise(daemon: Daemon, doorbells: Doorbells) -> None:
    """Look at the surroundings every second, and when a doorbell rings."""
    while True:
        await daemon.reconcile()
        await doorbells.wait(daemon.doorbells())


async def _beat(daemon: Daemon, end: asyncio.Event) -> None:
    """Send the sign of life, only while every worker beats; end the daemon when a worker failed."""
    watchdog = watchdog_s()
    every = max(SHORTEST_TICK_S, min(TICK_S, watchdog / 3 or TICK_S))
    told = ""
    while True:
        standstill.postpone()
        messages.tell_left_out()
        alive = daemon.beat()
        if daemon.failure:
            end.set()
            return
        with daemon.looks.at("the look at the status"):
            problems = "; ".join(daemon.situation().problems)
            if problems != told:
                told = problems
                notify(f"STATUS={'degraded: ' + problems if problems else 'ok'}")
        if alive and watchdog:
            notify("WATCHDOG=1")
        await asyncio.sleep(every)


def _ready_line(daemon: Daemon) -> str:
    now = daemon.situation()
    state = f"degraded ({'; '.join(now.problems)})" if now.problems else "ok"
    inside = ", ".join(map(str, now.internal_networks)) or "nothing"
    outside = ", ".join(
        f"{', '.join(map(str, uplink.addresses)) or 'nothing'} on {uplink.name}" for uplink in now.uplinks
    )
    queues = f"{daemon.workers[0].number} to {daemon.workers[-1].number}"
    return (
        f"{inside} behind {', '.join(now.internal_interfaces)} appears as {outside}; "
        f"queues {queues}; rules by {now.diversion}; "
        f"{daemon.table.recovered} sessions recovered; state {state}"
    )

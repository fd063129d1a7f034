"""The daemon's life: take sockets, table and queues, set up, serve, and end in an order that leaks nothing.

A clean stop removes the rules first, so that no packet waits in a queue without a worker. The guard stays:
nothing leaves untranslated until `nfmasq withdraw` removes it. Any other end, and a stop with --keep-rules,
leaves the rules as well. Then the diverted packets are dropped, and the router itself never answers them,
which would reset connections. Every end but a kill saves the sessions, for a start after a reboot.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from nfmasq._fastpath import Table
from nfmasq.config import Config, missing_interfaces, warnings_of
from nfmasq.control import api
from nfmasq.core.state_file import NotOurs
from nfmasq.daemon import descriptors, start
from nfmasq.daemon.failed import StartFailed
from nfmasq.daemon.helping import Helping
from nfmasq.daemon.listener import Listener
from nfmasq.daemon.notify import notify
from nfmasq.daemon.reserve import Reserver
from nfmasq.daemon.rules import RULES_FAILED
from nfmasq.daemon.running import Daemon
from nfmasq.daemon.serve import serve
from nfmasq.daemon.supervise import Supervisor
from nfmasq.diversion import DiversionUnavailable, probe
from nfmasq.exits import Exit
from nfmasq.web import page

DUMP_THREADS = 2
"""Threads for long lists: each keeps memory of its own, and more of them do not make a list shorter."""

log = logging.getLogger("nfmasq")


class _Sockets(NamedTuple):
    """The sockets that listen. names: host names that the pages answer to."""

    control: socket.socket
    metrics: socket.socket | None
    names: tuple[str, ...]


async def live(config_path: Path, keep_rules: bool) -> int:
    """Run a daemon from start to end; return the exit code. Raises StartFailed."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(DUMP_THREADS, thread_name_prefix="dump"))
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    with ExitStack() as undo:
        config = start.configuration(config_path)
        for warning in (*warnings_of(config), *missing_interfaces(config)):
            log.warning("%s", warning)
        start.require_net_admin()
        descriptors.raise_limit()
        claim = start.only_one(config_path)
        undo.callback(claim.close)
        loop.add_reader(claim.fileno(), claim.forget_look)
        undo.callback(loop.remove_reader, claim.fileno())
        control = start.control_socket(config.control.socket)
        undo.callback(control.close)
        listener = start.metrics_socket(config.metrics.listen) if config.metrics.listen else None
        if listener is not None:
            undo.callback(listener.close)
        try:
            diversion = probe(config.engine.diversion)
        except DiversionUnavailable as error:
            raise StartFailed(str(error)) from None
        table = start.table(config.engine.state, config.limits.sessions, config.engine.saved)
        undo.callback(table.close)
        undo.callback(_save, table, config.engine.saved)
        if table.warning:
            log.warning("the state file %s: %s", config.engine.state, table.warning)
        reserver = Reserver(table, config.limits.sessions)
        undo.callback(reserver.close)
        queues = config.engine.diverted_to
        workers = start.workers(*queues, table, undo)
        helping = Helping(config, table)
        undo.callback(helping.stop)  # before the workers, which take back the packets it has
        supervisor = Supervisor(config, table, diversion, queues, helping)
        for warning in supervisor.forwards.warnings:
            log.warning("%s", warning)
        daemon = Daemon(config_path, table, workers, supervisor, reserver)
        undo.callback(daemon.close)
        sockets = _Sockets(control.listener, listener, _names(config))
        return await _run(daemon, end, sockets, keep_rules)


def _save(table: Table, path: Path) -> None:
    """Save the sessions for a start after a reboot. Where that fails, a reboot ends them."""
    try:
        table.save(os.fspath(path))
    except NotOurs as stranger:
        log.warning(
            "the sessions are not saved: %s is %s; they end if the machine reboots. Move it away, or set "
            "engine.saved",
            stranger.filename,
            stranger.strerror,
        )
    except OSError as error:
        log.warning(
            "the sessions are not saved in %s: %s; they end if the machine reboots",
            path,
            error.strerror or error,
        )


async def _run(daemon: Daemon, end: asyncio.Event, sockets: _Sockets, keep_rules: bool) -> int:
    try:
        await daemon.begin()
    except RULES_FAILED as error:
        raise StartFailed(
            f"the rules could not be installed: {error}; `nfmasq doctor` says what is missing"
        ) from None
    listeners = await _listen(daemon, sockets)
    gc.collect()
    gc.freeze()  # these objects stay for good: later collections need not walk them
    await serve(daemon, end)
    notify("STOPPING=1")
    if daemon.failure:
        log.error("%s; the rules stay, so nothing leaves untranslated; start nfmasq again", daemon.failure)
    elif keep_rules:
        log.info("the rules stay, so nothing passes until nfmasq starts again; ending")
    else:
        await daemon.withdraw()
        log.info("the rules are out, the guard stays until `nfmasq withdraw`; ending")
    for each in listeners:
        await each.close()
    return Exit.FAILED if daemon.failure else Exit.OK


async def _listen(daemon: Daemon, sockets: _Sockets) -> list[Listener]:
    """Serve the control API, and the metrics where they are wanted.

    A scrape takes the event loop some milliseconds. The metrics answer one request at a time, so the control
    API has its turn in between.
    """
    most = descriptors.connections_of_each(2)
    if most < descriptors.MOST_CONNECTIONS:
        log.warning(
            "each listener takes %d connections: the limit of descriptors allows no more; raise `ulimit -n`",
            most,
        )
    made = [
        Listener("the control socket", api.application(daemon), sockets.control, most, one_at_a_time=False)
    ]
    if sockets.metrics is not None:
        pages = page.application(daemon, sockets.names)
        made.append(Listener("metrics.listen", pages, sockets.metrics, most, one_at_a_time=True))
    for each in made:
        await each.start()
    return made


def _names(config: Config) -> tuple[str, ...]:
    listening = config.metrics.listen
    return (*config.metrics.hosts, *([listening[0]] if listening else []))

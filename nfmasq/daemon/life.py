"""The daemon's life: take sockets, table and queues, set up, serve, and end in an order that leaks nothing.

A clean stop removes the rules first, so that no packet waits in a queue without a worker. The guard stays:
nothing leaves untranslated until `nfmasq withdraw` removes it. Any other end, and a stop with --keep-rules,
leaves the rules as well. Then the diverted packets are dropped, and the router itself never answers them,
which would reset connections.
"""

import asyncio
import gc
import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from aiohttp import web

from nfmasq.config import missing_interfaces, warnings_of
from nfmasq.control import api
from nfmasq.daemon import start
from nfmasq.daemon.failed import StartFailed
from nfmasq.daemon.helping import Helping
from nfmasq.daemon.notify import notify
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
        control = start.control_socket(config.control.socket)
        undo.callback(control.close)
        listener = start.metrics_socket(config.metrics.listen) if config.metrics.listen else None
        if listener is not None:
            undo.callback(listener.close)
        try:
            diversion = probe(config.engine.diversion)
        except DiversionUnavailable as error:
            raise StartFailed(str(error)) from None
        table = start.table(config.engine.state, config.limits.sessions)
        undo.callback(table.close)
        if table.warning:
            log.warning("the sessions in %s are given up: %s", config.engine.state, table.warning)
        queues = config.engine.diverted_to
        workers = start.workers(*queues, table, undo)
        helping = Helping(config, table)
        undo.callback(helping.stop)  # before the workers, which take back the packets it has
        supervisor = Supervisor(config, table, diversion, queues, helping)
        for warning in supervisor.forwards.warnings:
            log.warning("%s", warning)
        daemon = Daemon(config_path, table, workers, supervisor)
        undo.callback(daemon.close)
        return await _run(daemon, end, control.listener, listener, keep_rules)


async def _run(
    daemon: Daemon,
    end: asyncio.Event,
    control: socket.socket,
    listener: socket.socket | None,
    keep_rules: bool,
) -> int:
    try:
        await daemon.begin()
    except RULES_FAILED as error:
        raise StartFailed(
            f"the rules could not be installed: {error}; `nfmasq doctor` says what is missing"
        ) from None
    runners = [await _site(api.application(daemon), control)]
    if listener is not None:
        runners.append(await _site(page.application(daemon), listener))
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
    for runner in runners:
        await runner.cleanup()
    return Exit.FAILED if daemon.failure else Exit.OK


async def _site(application: web.Application, listener: socket.socket) -> web.AppRunner:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return runner

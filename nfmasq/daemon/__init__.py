"""The daemon: what `nfmasq run` runs.

`life` is the order from start to end: `start` takes sockets, table and workers, `running` is the daemon with
its parts, `serve` watches over it until the end. `supervise` keeps policy and rules as they should be, by
`surroundings`, `policy`, `plan`, `rules` and `problems`; every change goes through the one thread of `hand`.
`reload` reads the configuration again. `refuse` sends ICMP for refused sessions. `heartbeat`, `notify` and
`standstill` find a daemon that hangs.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from aiohttp.http import HttpProcessingError

from nfmasq.daemon.failed import StartFailed
from nfmasq.daemon.life import live
from nfmasq.exits import Exit

__all__ = ["run"]

_STARVED = "no memory or no thread can be had; raise the limits of this process (ulimit -v, -u)"

log = logging.getLogger("nfmasq")


def run(config_path: Path, keep_rules: bool = False) -> int:
    """Run the daemon until SIGTERM; return the exit code. keep_rules: leave rules and guard at the end."""
    _log_to_stderr()
    threading.excepthook = _thread_ended
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    try:
        return asyncio.run(live(config_path, keep_rules))
    except (MemoryError, RuntimeError) as error:
        if not _is_starved(error):
            raise
        log.error(_STARVED)
        return Exit.FAILED
    except StartFailed as failed:
        for line in failed.lines:
            log.error("%s", line)
        return failed.code


def _is_starved(error: BaseException | None) -> bool:
    """Whether the kernel refused memory or a thread: a limit of this process, and no fault of ours."""
    return isinstance(error, MemoryError) or "start new thread" in str(error)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    """One line for a thread that a limit of this process ended, and the traceback of any other."""
    if _is_starved(ended.exc_value):
        log.error("the thread %s ended: %s", ended.thread and ended.thread.name, _STARVED)
    else:
        threading.__excepthook__(ended)


def _log_to_stderr() -> None:
    """Log one line an event, without the time where the journal writes its own."""
    when = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=f"{when}%(levelname)-7s %(message)s")
    log.setLevel(logging.INFO)
    logging.getLogger("aiohttp.server").addFilter(_is_our_fault)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether an error is ours. A client that sends no HTTP gets 400, and no line in the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))

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
from pathlib import Path

from aiohttp.http import HttpProcessingError

from nfmasq.daemon.failed import StartFailed
from nfmasq.daemon.life import live
from nfmasq.exits import Exit

__all__ = ["run"]

log = logging.getLogger("nfmasq")


def run(config_path: Path, keep_rules: bool = False) -> int:
    """Run the daemon until SIGTERM; return the exit code. keep_rules: leave rules and guard at the end."""
    _log_to_stderr()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    try:
        return asyncio.run(live(config_path, keep_rules))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "start new thread" not in str(error):
            raise
        log.error("no memory or no thread can be had; raise the limits of this process (ulimit -v, -u)")
        return Exit.FAILED
    except StartFailed as failed:
        for line in failed.lines:
            log.error("%s", line)
        return failed.code


def _log_to_stderr() -> None:
    """Log one line an event, without the time where the journal writes its own."""
    when = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=f"{when}%(levelname)-7s %(message)s")
    log.setLevel(logging.INFO)
    logging.getLogger("aiohttp.server").addFilter(_is_our_fault)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """Whether an error is ours. A client that sends no HTTP gets 400, and no line in the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))

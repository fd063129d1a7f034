"""The daemon: what `nfmasq run` runs.

`start` takes what it needs, `life` is the order from start to end, `running` watches over everything between,
`supervise` keeps policy and rules as they should be, `reload` reads the configuration again, `heartbeat` and
`notify` tell the service manager that it lives.
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

__all__ = ["run"]

log = logging.getLogger("nfmasq")


def run(config_path: Path, keep_rules: bool = False) -> int:
    """Run the daemon until SIGTERM; return the exit code. keep_rules: leave rules and guard at the end."""
    _log_to_stderr()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    try:
        return asyncio.run(live(config_path, keep_rules))
    except StartFailed as failed:
        for line in failed.lines:
            log.error("%s", line)
        return failed.code


def _log_to_stderr() -> None:
    """One line an event; the journal writes its own time beside each."""
    when = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=f"{when}%(levelname)-7s %(message)s")
    log.setLevel(logging.INFO)
    logging.getLogger("aiohttp.server").addFilter(_is_our_fault)


def _is_our_fault(record: logging.LogRecord) -> bool:
    """What a client sends that is not HTTP is answered with 400; a line each would let it flood the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))

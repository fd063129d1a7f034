"""The daemon: what `nfmasq run` runs.

`life` is the order from start to end: `start` takes sockets, table and workers, `running` is the daemon with
its parts, `serve` watches over it until the end. `supervise` keeps policy and rules as they should be, by
`surroundings`, `policy`, `plan`, `rules` and `problems`; every change goes through the one thread of `hand`.
`reload` reads the configuration again. `refuse` sends ICMP for refused sessions. `heartbeat`, `notify` and
`standstill` find a daemon that hangs. `listener` bounds the connections of API and page, `descriptors` keeps
some back, `messages` bounds the lines of one kind.
"""

import asyncio
import logging
import signal
from pathlib import Path

from nfmasq.daemon.failed import StartFailed
from nfmasq.daemon.life import live
from nfmasq.daemon.messages import WHOLE, to_stderr

__all__ = ["run"]

log = logging.getLogger("nfmasq")


def run(config_path: Path, keep_rules: bool = False) -> int:
    """Run the daemon until SIGTERM; return the exit code. keep_rules: leave rules and guard at the end."""
    to_stderr()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    try:
        return asyncio.run(live(config_path, keep_rules))
    except StartFailed as failed:
        for line in failed.lines:
            log.error("%s", line, extra=WHOLE)
        return failed.code

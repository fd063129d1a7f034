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
import threading
from pathlib import Path

from nfmasq.daemon.failed import StartFailed
from nfmasq.daemon.life import live
from nfmasq.daemon.messages import WHOLE, to_stderr
from nfmasq.exits import Exit
from nfmasq.machine.shortage import shortage

__all__ = ["run"]

_STARVED = "no memory or no thread can be had; raise the limits of this process (ulimit -v, -u)"

log = logging.getLogger("nfmasq")


def run(config_path: Path, keep_rules: bool = False) -> int:
    """Run the daemon until SIGTERM; return the exit code. keep_rules: leave rules and guard at the end."""
    to_stderr()
    threading.excepthook = _thread_ended
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    try:
        return asyncio.run(live(config_path, keep_rules))
    except Exception as error:
        return _ended_by(error)


def _ended_by(error: Exception) -> int:
    """Log why the daemon ends; return the exit code. A fault of ours is raised again."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, StartFailed):
        cause = cause.__context__  # the end of a daemon without threads fails once more
    if cause is not None:
        for line in cause.lines:
            log.error("%s", line, extra=WHOLE)
        return cause.code
    if lacking := shortage(error):
        log.error("%s: nfmasq ends, and the rules stay as they are; raise the limits of memory", lacking)
        return Exit.FAILED
    raise error


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    """One line for a thread that a limit of this process ended, and the traceback of any other."""
    if ended.exc_value is not None and (lacking := shortage(ended.exc_value)):
        log.error("%s: the thread %s ended", lacking, ended.thread and ended.thread.name)
    else:
        threading.__excepthook__(ended)

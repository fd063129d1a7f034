"""Ends the process when its interpreter stands still.

A helper may never return from a call into C (an expression that backtracks without end) and keep the GIL. The
workers need no GIL, so the translation goes on. But the daemon hears no signal and no command, and sees no
address change. The service manager's watchdog ends such a daemon. Without a watchdog a thread of faulthandler
ends it, which needs no GIL, and logs where each thread stands. The next daemon recovers the sessions;
sessions with a helper go on without it.
"""

import faulthandler
import logging

ENDED_AFTER_S = 10.0

log = logging.getLogger("nfmasq")


def postpone() -> None:
    """Put off the end by ENDED_AFTER_S; to be called again before that."""
    try:
        faulthandler.dump_traceback_later(ENDED_AFTER_S, exit=True)
    except (OSError, RuntimeError, ValueError) as error:  # no standard error to write to
        log.debug("the interpreter is not watched: %s", error)

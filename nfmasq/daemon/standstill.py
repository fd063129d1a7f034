"""Ends the process when its Python interpreter stands still.

A helper may never return from one call into C (an expression that backtracks without end), and keep the
interpreter's lock meanwhile. The workers need no interpreter, so translation goes on. But the daemon reads no
signal and no command, and sees no address change. The service manager's watchdog ends such a daemon. Where
there is no watchdog, a thread in C ends it, and writes into the log where each thread stands. The next daemon
recovers the sessions; those that had a helper go on without one.
"""

import faulthandler
import logging

ENDED_AFTER_S = 10.0

log = logging.getLogger("nfmasq")


def postpone() -> None:
    """Say that the interpreter runs; the process ends unless it is said again within ENDED_AFTER_S."""
    try:
        faulthandler.dump_traceback_later(ENDED_AFTER_S, exit=True)
    except (OSError, RuntimeError, ValueError) as error:  # no standard error to write to
        log.debug("the interpreter is not watched: %s", error)

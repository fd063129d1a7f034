"""Ends the process when its interpreter stands still.

A helper that never comes back from one call into C (an expression that backtracks without end) may hold the
interpreter all the while. The workers need none, so the translation goes on; but nobody hears a signal or a
command, or sees an address change. The service manager's watchdog ends such a daemon; where there is none, a
thread does that needs no interpreter either, and writes into the log where each thread stands. The next
daemon finds the sessions again, and those that had a helper go on without.
"""

import faulthandler
import logging

ENDED_AFTER_S = 10.0

log = logging.getLogger("nfmasq")


def postpone() -> None:
    """Say that the interpreter turns: it must be said again within ENDED_AFTER_S."""
    try:
        faulthandler.dump_traceback_later(ENDED_AFTER_S, exit=True)
    except (OSError, RuntimeError, ValueError) as error:  # no standard error to write to
        log.debug("nobody watches the interpreter: %s", error)

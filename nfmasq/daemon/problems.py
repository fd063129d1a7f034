"""The problems of a part of the daemon, each under its subject.

What is stored: the problem of each subject that has one. The thread that keeps policy and rules writes it;
any thread may read it. A problem ends when its subject reports none. Its beginning and its end are logged.
"""

import logging

log = logging.getLogger("nfmasq")


class Problems:
    """Problems by subject."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def report(self, subject: str, problem: str) -> None:
        """Set the problem of a subject; "" means that there is none."""
        before = self._known.get(subject, "")
        if problem:
            self._known[subject] = problem
            if problem != before:
                log.warning("degraded: %s", problem)
        elif before:
            del self._known[subject]
            log.info("mended: %s", before)

    def now(self) -> dict[str, str]:
        """The problem of each subject that has one."""
        return self._known.copy()

"""What a lab's router has to say after a test failed: for failures that come once in thousands of runs.

Whatever cannot be had any more is said in its place. Nothing is raised: the report is of the test, not of it.
"""

from collections.abc import Callable

from nfmasq.lab.lab import Lab

LINES = 30
"""Of the log."""


def aftermath(lab: Lab) -> str:
    """Drops by reason, problems, and the last lines of the log; "" where the kernel masquerades."""
    daemon = lab.daemon
    if daemon is None:
        return ""
    told = [
        _told("dropped packets, by reason", lambda: daemon.drops() or "none"),
        _told("problems", lambda: daemon.api("/v1/status")["problems"] or "none"),
        _told("packets that wait for a verdict", daemon.waiting),
        _told("internal addresses on the WAN", lambda: "; ".join(lab.sentinel.leaks) or "none"),
        f"last {LINES} lines of the log:",
        *daemon.log.splitlines()[-LINES:],
    ]
    return "\n".join(told)


def _told(what: str, ask: Callable[[], object]) -> str:
    try:
        return f"{what}: {ask()}"
    except Exception as error:
        return f"{what}: cannot be had ({type(error).__name__}: {error})"

"""File descriptors: as many as the machine grants, and a reserve that no listener may take.

Nothing is stored here; the limit belongs to the process. The control API, netlink and the programs that lay
rules need descriptors when a client would like to have them all.
"""

import os
import resource
from contextlib import suppress

WANTED = 4096
"""More than the listeners' connections, the reserve and all queues together."""
RESERVE = 96
"""Descriptors kept back: for programs and their pipes, netlink, files that are written anew."""
MOST_CONNECTIONS = 64
"""Connections of one listener."""
LEAST_CONNECTIONS = 2


def raise_limit() -> None:
    """Let this process and its programs open WANTED descriptors, or as many as the hard limit says."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # the limit of before is taken into account below
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connections_of_each(listeners: int) -> int:
    """How many connections each of the listeners may have, once everything else is open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    room = limit - len(os.listdir("/proc/self/fd")) - RESERVE
    return max(LEAST_CONNECTIONS, min(MOST_CONNECTIONS, room // listeners))

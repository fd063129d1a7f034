"""What the core can hold: every such number, once, and the error for more.

The compiled core has the same numbers (`_hot/state/capacity.pxd`); a test compares all of them.
"""

MOST_SESSIONS = (1 << 26) - 1
"""Twice a session's number, and a hash table's buckets, must fit 32 bits with room to spare."""
MOST_UPLINKS = 8
"""External interfaces."""
MOST_EXTERNAL_ADDRESSES = 256
"""Of all uplinks together."""
MOST_SOURCES = 1024
"""Of all uplinks together: routes that name an address of the router."""
MOST_REALMS = 255
"""Pools, and addresses that routes name. The core numbers them in a byte, and one number says none."""
MOST_INTERNAL_NETWORKS = 4096
"""Networks behind the router. The core finds one by binary search."""
MOST_BEHAVIOURS = 257
"""Networks with a mapping or filtering of their own, and everywhere."""
MOST_FORWARDS = 1024
"""A forward for two protocols counts twice."""
MOST_FORWARD_TARGETS = 4096
"""Of all forwards together."""
MOST_OWN = 256
"""Protocols without ports, with or without a remote address, whose packets the router itself takes."""
MOST_HELPERS = 31
"""Helpers are numbered from 1."""
MOST_HELPER_PORTS = 256
"""Of all helpers together."""
MOST_HELPER_NETWORKS = 1024
"""Of all helpers together; a network counts once for every port of its helper."""
MOST_WORKER_QUEUES = 64
"""Netfilter queues of one worker."""
MOST_SET_ASIDE = 4096
"""Packets that wait for the helpers."""


class TooMany(ValueError):
    """More than the core can hold; the message is one line with the number there is and the most."""


def require_room(what: str, count: int, most: int) -> None:
    """Raise TooMany if `count` of `what` are more than `most`."""
    if count > most:
        raise TooMany(f"{count} {what}: the core holds {most} at most")

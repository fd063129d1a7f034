"""New sessions of a real host with a real server, as any client begins them: a lost packet is sent again."""

import socket
from contextlib import suppress

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import SERVER1

ECHO, WEB = (str(SERVER1), 7), (str(SERVER1), 80)
TRIES, PATIENCE_S = 3, 1.0
"""A packet may be lost in the crowd of the router's queues."""


def asked() -> bool:
    """A new UDP session, and its answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE_S)
        for _ in range(TRIES):
            asking.sendto(b"question", ECHO)
            with suppress(TimeoutError):
                return asking.recv(100) == b"question"
    return False


def connected() -> bool:
    """A new TCP connection."""
    with suppress(OSError), socket.create_connection(WEB, TRIES * PATIENCE_S):
        return True
    return False


def begun(host: Namespace) -> int:
    """How many of twenty new sessions begin."""
    return sum(host.call(begin) for begin in (asked, connected) for _ in range(10))

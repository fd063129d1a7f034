"""What helpers keep of internal hosts, for protocols that go on in another session of the same host.

What is stored: for each helper and host the object that the helper made (Helper.meet). Who writes: the
engine's thread, where a dialogue begins. What ends an entry: the last dialogue that has the object.
"""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any
from weakref import WeakValueDictionary

from nfmasq.helpers.engine.interfaces import Entry


class Hosts:
    """All of them."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[int, IPv4Address], object] = WeakValueDictionary()

    def met(self, entry: Entry, host: IPv4Address, call: Callable[..., Any]) -> object:
        """What a helper keeps of a host; None: it keeps nothing. call: calls a helper's function.

        Raises what that raises, and TypeError for an object without weak references.
        """
        meet = getattr(entry.helper, "meet", None)
        if meet is None:
            return None
        known = self._known.get((entry.number, host))
        if known is None:
            known = self._known[entry.number, host] = call(meet, host)
        return known


def speaks_for(entry: Entry, host: IPv4Address) -> tuple[int, IPv4Address] | None:
    """All sessions of this host, if the helper keeps something of it; None: each speaks of itself alone."""
    return (entry.number, host) if hasattr(entry.helper, "meet") else None

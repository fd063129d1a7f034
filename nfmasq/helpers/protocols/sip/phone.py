"""What is known of an internal host: its calls, and for mode "full" whether its own endpoint is translated.

A registration or a dialog is translated as a whole or not at all, in all sessions of the host.

What is stored: the calls (`calls`). For each Call-ID whether it is translated, and for each internal endpoint
of the host the contacts that it has shown, by their user part. Identifiers are stored as `brief` makes them.
Who writes: the inside's messages alone, so that no flood from outside makes a phone forgotten. What ends it:
the last session of the host. Past a bound what was used longest ago is forgotten.

After a restart the core still knows what was decided in a session over UDP (`Session.remembered`).
"""

from collections.abc import Iterable
from typing import TypeVar

from nfmasq.helpers.protocols.sip.calls import Calls
from nfmasq.helpers.protocols.sip.message import brief
from nfmasq.helpers.protocols.sip.signalling import Bare

MOST_DECIDED = 512
"""Call-IDs of a host for which it is known whether its own endpoint is translated."""
MOST_SOCKETS = 32
"""Endpoints of a host."""
MOST_USERS = 128
"""Contacts of an endpoint."""

Key = TypeVar("Key")
What = TypeVar("What")

_KINDS = {False: 1, True: 2}
"""What a session remembers, added up: contacts that are left alone, and translated ones, were shown."""


class Phone:
    """A host. calls: None before the first one."""

    __slots__ = ("__weakref__", "_decided", "_sockets", "calls")

    def __init__(self) -> None:
        self.calls: Calls | None = None
        self._decided: dict[int, bool] = {}
        self._sockets: dict[tuple[str, int], Socket] = {}

    def socket(self, transport: str, port: int) -> "Socket":
        """What one of its endpoints has shown. A session keeps it, past MOST_SOCKETS too."""
        known = self._sockets.pop((transport, port), None) or Socket()
        _put(self._sockets, (transport, port), known, MOST_SOCKETS)
        return known

    def decided(self, call: int) -> bool | None:
        """Is this Call-ID translated? None: it is not known."""
        known = self._decided.get(call)
        if known is not None:
            self.decide(call, is_translated=known)
        return known

    def decide(self, call: int, *, is_translated: bool) -> None:
        """Note whether a Call-ID is translated."""
        _put(self._decided, call, is_translated, MOST_DECIDED)


class Socket:
    """An internal endpoint of a host; several lines may speak from it. bare: how it writes itself.

    kinds: those of contacts that it has shown, as a session remembers them; 0: none yet.
    """

    __slots__ = ("_shown", "bare", "kinds")

    def __init__(self) -> None:
        self.bare = Bare()
        self.kinds = 0
        self._shown: dict[int, tuple[bool, bool]] = {}
        """By user part: is the contact registered, and is it translated?"""

    def show(self, users: Iterable[bytes], *, is_translated: bool, is_registered: bool) -> None:
        """Note contacts. What was registered, another message does not change."""
        has_changed = False
        for user in map(brief, users):
            before = self._shown.get(user)
            known = is_registered, is_translated
            if before is not None and before[0] and not is_registered:
                known = before
            has_changed |= known != before
            _put(self._shown, user, known, MOST_USERS)
        if has_changed:
            self.kinds = sum(_KINDS[each] for each in {known for _, known in self._shown.values()})

    def is_translated(self, users: Iterable[bytes], remembered: int) -> bool | None:
        """Are contacts with these user parts translated? None: it is not known.

        An exchange is called by numbers that it has not registered. They go as all its contacts go, if these
        are alike. remembered: the kinds of contacts before a restart.
        """
        for user in users:
            known = self._shown.get(brief(user))
            if known is not None:
                return known[1]
        kinds = self.kinds | remembered
        return kinds == _KINDS[True] if kinds in _KINDS.values() else None


def _put(kept: dict[Key, What], key: Key, what: What, most: int) -> None:
    """Store something as the newest; past `most` the oldest is forgotten."""
    kept.pop(key, None)
    while len(kept) >= most:
        del kept[next(iter(kept))]
    kept[key] = what

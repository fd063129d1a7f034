"""The sessions an engine knows: those that a helper reads, and those it has just retired.

What is stored: sessions by name, until they are settled or the core has forgotten them. A settled session
goes into one of two generations, for packets that the core had set aside before it learned of it. Who writes:
whoever holds the engine's lock. What ends a retired session: two changes of the generation, each
after a moment at which no packet waited.
"""

from collections.abc import Iterator

from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.engine.tcp_session import TcpSession
from nfmasq.helpers.engine.udp_session import UdpSession

MOST_HELPED_SESSIONS = 32768
LOOKED_UP_IN_S = 64
"""Each session is looked up in the core once in so many seconds."""

AnySession = TcpSession | UdpSession


class Sessions:
    """All of them."""

    def __init__(self) -> None:
        self._present: dict[Name, AnySession] = {}
        self._retired: dict[Name, AnySession] = {}
        self._retired_before: dict[Name, AnySession] = {}
        self._to_look_up: list[Name] = []

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[AnySession]:
        return iter(self._present.values())

    @property
    def is_full(self) -> bool:
        """Is there no room for another session?"""
        return len(self._present) + len(self._retired) + len(self._retired_before) >= MOST_HELPED_SESSIONS

    def get(self, name: Name) -> AnySession | None:
        """The session of this name that is read, or still has to be corrected."""
        return self._present.get(name)

    def retired(self, name: Name) -> AnySession | None:
        """The session of this name that was retired a moment ago."""
        return self._retired.get(name) or self._retired_before.get(name)

    def add(self, session: AnySession) -> None:
        """Store a session that begins."""
        self._present[session.name] = session

    def make_partners(self, one: Name, other: Name) -> None:
        """Note that two sessions are the sides of one hairpinned connection."""
        for name, partner in ((one, other), (other, one)):
            if (session := self._present.get(name)) is not None:
                session.partner = partner

    def remove(self, name: Name) -> AnySession | None:
        """Forget a session and return it; None when it is not known."""
        session = self._present.pop(name, None)
        if session is not None:
            session.leave()
        return session

    def retire(self, name: Name) -> None:
        """Forget a session soon."""
        session = self.remove(name)
        if session is not None:
            self._retired[name] = session

    def next_generation(self) -> None:
        """No packet waits: forget the sessions retired before the last call."""
        self._retired_before, self._retired = self._retired, {}

    def share(self) -> list[Name]:
        """Names to look up in this second: all names come up in LOOKED_UP_IN_S."""
        if not self._to_look_up:
            self._to_look_up = list(self._present)
        share = len(self._present) // LOOKED_UP_IN_S + 1
        names = self._to_look_up[-share:]
        del self._to_look_up[-share:]
        return names

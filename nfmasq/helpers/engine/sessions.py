"""The sessions an engine knows: those that a helper reads, and those it has just retired.

What is stored: sessions by name, until they are settled or the core has forgotten them. A settled session
goes into one of two generations, for packets that the core had set aside before it learned of it. Who writes:
whoever holds the engine's lock. What ends a retired session: two changes of the generation, each
after a moment at which no packet waited. What ends a handshake early: others, when there are too many
(`shares`). So it is with sessions: the newest of the greediest host is read no more. It goes on being
corrected until it is settled. A host that has its share gets no further helper, and its sessions pass without
one.
"""

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address

from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.engine.shares import Shares
from nfmasq.helpers.engine.tcp_session import TcpSession
from nfmasq.helpers.engine.udp_session import UdpSession

MOST_HELPED_SESSIONS = 32768
MOST_OF_A_HOST = MOST_HELPED_SESSIONS // 4
"""Sessions of one internal host: the others have room, whatever it does."""
MOST_STORED = 2 * MOST_HELPED_SESSIONS
"""Sessions with those that are read no more and still have to be corrected."""
MOST_OPENINGS = 4096
"""Handshakes under way, of all helpers."""
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
        self._openings = Shares(MOST_OPENINGS)
        self._room = Shares(MOST_HELPED_SESSIONS)
        self._of_host: Counter[IPv4Address] = Counter()

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[AnySession]:
        return iter(self._present.values())

    def has_room(self, host: IPv4Address) -> bool:
        """Is there room for another session of an internal host?"""
        stored = len(self._present) + len(self._retired) + len(self._retired_before)
        return stored < MOST_STORED and self._of_host[host] < MOST_OF_A_HOST

    def get(self, name: Name) -> AnySession | None:
        """The session of this name that is read, or still has to be corrected."""
        return self._present.get(name)

    def retired(self, name: Name) -> AnySession | None:
        """The session of this name that was retired a moment ago."""
        return self._retired.get(name) or self._retired_before.get(name)

    def crowded_out(self) -> AnySession | None:
        """The session that is read no more, so that another one may be; None: there is room for one."""
        return None if self._room.has_room() else self._present.get(self._room.end_one())

    def add(self, session: AnySession) -> Name | None:
        """Store a session that begins; the name of the one that gives way to its handshake, or None."""
        self._present[session.name] = session
        endpoints = session.endpoints
        self._of_host[endpoints.internal[0]] += 1
        self._room.begin(session.name, endpoints.internal[0])
        if session.is_open:
            return None
        began = endpoints.internal if endpoints.inside_began else endpoints.remote
        giving_way = None if self._openings.has_room() else self._openings.end_one()
        self._openings.begin(session.name, began[0])
        return giving_way

    def note_open(self, name: Name) -> None:
        """Note that a session's handshake is over: it gives way no more."""
        self._openings.end(name)

    def make_partners(self, one: Name, other: Name) -> None:
        """Note that two sessions are the sides of one hairpinned connection."""
        for name, partner in ((one, other), (other, one)):
            if (session := self._present.get(name)) is not None:
                session.partner = partner

    def remove(self, name: Name) -> AnySession | None:
        """Forget a session and return it; None when it is not known."""
        session = self._present.pop(name, None)
        if session is not None:
            self._openings.end(name)
            self._room.end(name)
            host = session.endpoints.internal[0]
            self._of_host[host] -= 1
            if not self._of_host[host]:
                del self._of_host[host]
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

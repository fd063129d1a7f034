"""The sessions an engine knows: those that a helper reads, and those it has just retired.

What is stored: sessions by name, until they are settled or the core has forgotten them. A settled session
goes into one of two generations, for packets that the core had set aside before it learned of it. Who writes:
whoever holds the engine's lock. What ends a retired session: two changes of the generation, each
after a moment at which no packet waited.

There are two rooms: one for handshakes under way, whose caller may be forged, and one for open sessions
(`is_open`). In both the newest of the greediest gives way (`shares`). A session that gives way is read no
more, and goes on being corrected until it is settled. If its own caller is the greediest, it passes without a
helper.
"""

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address

from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.engine.shares import Shares, caller_of
from nfmasq.helpers.engine.tcp_session import TcpSession
from nfmasq.helpers.engine.udp_session import UdpSession

MOST_HELPED_SESSIONS = 32768
MOST_OF_A_HOST = MOST_HELPED_SESSIONS // 4
"""Sessions of one internal host: the others have room, whatever it does."""
MOST_STORED = 2 * MOST_HELPED_SESSIONS
"""Sessions with those that are read no more and still have to be corrected."""
MOST_STORED_OF_A_HOST = 2 * MOST_OF_A_HOST
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
        """Can another session of an internal host be stored?"""
        stored = len(self._present) + len(self._retired) + len(self._retired_before)
        return stored < MOST_STORED and self._of_host[host] < MOST_STORED_OF_A_HOST

    def get(self, name: Name) -> AnySession | None:
        """The session of this name that is read, or still has to be corrected."""
        return self._present.get(name)

    def retired(self, name: Name) -> AnySession | None:
        """The session of this name that was retired a moment ago."""
        return self._retired.get(name) or self._retired_before.get(name)

    def add(self, session: AnySession) -> AnySession | None:
        """Store a session that begins; the one that gives way for it, which may be itself, or None."""
        self._present[session.name] = session
        host = session.endpoints.internal[0]
        self._of_host[host] += 1
        if session.is_open:
            return self._take_place(session)
        giving_way = None if self._openings.has_room() else self._openings.end_one()
        self._openings.begin(session.name, host, caller_of(session.endpoints))
        return None if giving_way is None else self._present.get(giving_way)

    def note_open(self, session: AnySession) -> AnySession | None:
        """Note that a session's handshake is over; the one that gives way for it, which may be itself.

        One that no dialogue reads takes no place.
        """
        self._openings.end(session.name)
        return None if session.is_over else self._take_place(session)

    def _take_place(self, session: AnySession) -> AnySession | None:
        host, caller = session.endpoints.internal[0], caller_of(session.endpoints)
        crowded, gone = self._crowded(host), None
        if crowded == host and self._room.is_greedy(host, caller):
            return session
        if crowded is not None:
            gone = self._present.get(self._room.end_newest_of(crowded))
        self._room.begin(session.name, host, caller)
        return gone

    def _crowded(self, host: IPv4Address) -> IPv4Address | None:
        """The host of which a session gives way to another one of `host`; None: there is room."""
        if self._room.count(host) >= MOST_OF_A_HOST:
            return host
        if self._room.has_room():
            return None
        greediest = self._room.greediest()
        return host if self._room.count(host) >= self._room.count(greediest) else greediest

    def make_partners(self, one: Name, other: Name) -> None:
        """Note that two sessions are the sides of one hairpinned connection."""
        for name, partner in ((one, other), (other, one)):
            if (session := self._present.get(name)) is not None:
                session.partner = partner

    def give_way(self, session: AnySession) -> None:
        """Let a session's place be free. The session itself stays until it is retired or removed."""
        self._openings.end(session.name)
        self._room.end(session.name)
        session.give_way()

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

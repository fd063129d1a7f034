"""From a packet that was set aside to the packets that are sent in its place, session by session.

What is stored: nothing here; `sessions` holds the sessions. Who calls: the engine's thread, under the
engine's lock. What ends a session here: its helper left and all that was written is acknowledged. The core
then goes on by the correction it knows. A session that the core has forgotten ends here too.
"""

import time
from collections.abc import Callable

from nfmasq.core.protocols import TCP, UDP
from nfmasq.core.rows import SetAside
from nfmasq.helpers.engine import segment as tcp
from nfmasq.helpers.engine.intake import Store
from nfmasq.helpers.engine.interfaces import Core, Name
from nfmasq.helpers.engine.reading import DialogueReader
from nfmasq.helpers.engine.segment import ACK, SYN
from nfmasq.helpers.engine.sessions import AnySession, Sessions
from nfmasq.helpers.engine.tcp_session import TcpSession
from nfmasq.helpers.engine.udp_session import UdpSession, untouched
from nfmasq.helpers.kit.base import Session, Side

MOST_BYTES_WAITING = 64 << 20
"""Bytes of all sessions that wait for dialogues."""


class Verdicts:
    """Decides on the packets of one engine. store: bytes that wait, of all its sessions."""

    def __init__(
        self,
        table: Core,
        sessions: Sessions,
        reader: DialogueReader,
        *,
        clock: Callable[[], float] = time.monotonic,
        takes_over: bool = False,
    ) -> None:
        self.store = Store(MOST_BYTES_WAITING)
        self._table = table
        self._sessions = sessions
        self._reader = reader
        self._clock = clock
        self._takes_over = takes_over

    def packets(self, aside: SetAside) -> list[bytearray]:
        """The packets to send in place of one: its own first; none drops it."""
        try:
            protocol, at = tcp.transport_of(aside.packet)
            segment = tcp.read(aside.packet, at) if protocol == TCP else None
        except ValueError:
            return [bytearray(aside.packet)]
        side = Side.INSIDE if aside.outbound else Side.OUTSIDE
        name = aside.session, aside.serial
        known = self._sessions.get(name) or self._sessions.retired(name)
        session = known or self._begin(aside, name, segment)
        if isinstance(session, TcpSession) and segment is not None:
            return session.pass_on(segment, side, self._reader, self._clock())
        if isinstance(session, UdpSession) and protocol == UDP:
            return [session.pass_on(aside.packet, at, side, self._reader)]
        if session is None and segment is not None and self._takes_over and not segment.flags & SYN:
            return []
        return [untouched(aside.packet)]

    def settle(self, name: Name) -> bool:
        """Give the core a session's corrections; True when the core can go on by them alone."""
        session = self._sessions.get(name)
        if session is None:
            return True
        shifts = session.shifts
        if session.corrected != shifts and isinstance(session, TcpSession):
            session.corrected = shifts
            self._table.correct(*name, *session.corrected)
        if not session.is_over or not session.is_settled:
            return False
        if session.corrected != (0, 0):
            self._table.correct(
                *name, *session.corrected
            )  # the core forgets it at a SYN that came to nothing
        self._reader.tally(session.number).sessions -= 1
        self._sessions.retire(name)
        return True

    def retire_settled(self) -> None:
        """Let go the sessions that a disabled helper has left: no next packet is needed for that."""
        for name in [session.name for session in self._sessions if session.is_settled]:
            if self.settle(name):
                self._table.let_go(*name)

    def forget_ended(self) -> None:
        """Forget sessions that the core knows no more; each call looks up a part of all sessions."""
        for name in self._sessions.share():
            if self._table.seen(*name) is None:
                session = self._sessions.remove(name)
                if session is not None:
                    self._reader.tally(session.number).sessions -= 1

    def _begin(self, aside: SetAside, name: Name, segment: tcp.Segment | None) -> AnySession | None:
        """A session that begins with this packet; None for a TCP connection whose beginning was not seen."""
        if self._sessions.is_full or not self._reader.knows(aside.helper):
            return None
        endpoints = Session(aside.internal, aside.external, aside.remote, aside.inside_began)
        session: AnySession
        if segment is not None:
            if segment.flags & (SYN | ACK) != SYN:
                return None
            session = TcpSession(name, aside.helper, endpoints, self.store)
        else:
            session = UdpSession(name, aside.helper, endpoints)
            session.dialogue = self._reader.begin(session)
            session.is_over = session.dialogue is None
        self._sessions.add(session)
        self._reader.tally(aside.helper).sessions += 1
        return session

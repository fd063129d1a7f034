"""From a packet that was set aside to the packets that are sent in its place, session by session.

What is stored: nothing here; `sessions` holds the sessions. Who calls: the engine's thread, under the
engine's lock. What ends a session here: its helper left and all that was written is acknowledged. The core
then goes on by the correction it knows. A session that the core has forgotten ends here too.
"""

import time
from collections.abc import Callable

from nfmasq.core.protocols import TCP, UDP
from nfmasq.core.rows import Helped, SetAside
from nfmasq.helpers.engine import segment as tcp
from nfmasq.helpers.engine.intake import Store
from nfmasq.helpers.engine.interfaces import Core, Name
from nfmasq.helpers.engine.reading import DialogueReader
from nfmasq.helpers.engine.segment import ACK, SYN
from nfmasq.helpers.engine.sessions import AnySession, Sessions
from nfmasq.helpers.engine.tcp_session import TcpSession
from nfmasq.helpers.engine.udp_session import UdpSession, untouched
from nfmasq.helpers.kit.base import Session, Side
from nfmasq.helpers.kit.numbers import address

MOST_BYTES_WAITING = 64 << 20
"""Bytes of all sessions that wait for dialogues."""

AnyHelped = SetAside | Helped
"""A packet that was set aside names its sender's session itself."""


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
        """The packets to send in place of one: its own first; none drops it.

        A hairpinned packet goes out by the sender's session, and what that makes of it comes in by the
        receiver's.
        """
        side, receiver = Side.INSIDE if aside.outbound else Side.OUTSIDE, aside.receiver
        if receiver is None:
            return self._pass_on(aside, aside.packet, side)
        made = self._pass_on(aside, aside.packet, side, name_of(receiver))
        return [
            crossed
            for packet in made
            for crossed in self._pass_on(receiver, packet, Side.OUTSIDE, name_of(aside))
        ]

    def settle(self, name: Name, partner: Name | None = None) -> tuple[Name, ...]:
        """Give the core a session's corrections, and its partner's.

        Returns both names when the core can go on by the corrections alone: partners are let go together.
        """
        known = self._sessions.get(name)
        if partner is None and isinstance(known, UdpSession) and not known.is_settled:
            return ()
        names = (name,) if partner is None else (name, partner)
        sessions = [session for each in names if (session := self._sessions.get(each)) is not None]
        for session in sessions:
            if session.corrected != session.shifts and isinstance(session, TcpSession):
                session.corrected = session.shifts
                self._table.correct(*session.name, *session.corrected)
        if not all(session.is_settled for session in sessions):
            return ()
        for session in sessions:
            if session.corrected != (0, 0):
                self._table.correct(
                    *session.name, *session.corrected
                )  # the core forgets it at a SYN that came to nothing
            self._reader.tally(session.number).sessions -= 1
            if isinstance(session, UdpSession) and self._reader.is_disabled(session):
                self._sessions.remove(session.name)  # enabled again, the helper reads its next datagram
            else:
                self._sessions.retire(session.name)
        return names

    def retire_settled(self) -> None:
        """Let go the sessions that a disabled helper has left: no next packet is needed for that."""
        self.forget_left()
        for name, partner in [(each.name, each.partner) for each in self._sessions if each.is_settled]:
            for settled in self.settle(name, partner):
                self._table.let_go(*settled)

    def forget_left(self) -> None:
        """Forget sessions over UDP that were left, if the helper is enabled again: it reads what comes."""
        for session in list(self._sessions):
            if session.is_settled and session.partner is None and self._begins_again(session):
                self._sessions.remove(session.name)
                self._reader.tally(session.number).sessions -= 1

    def _begins_again(self, session: AnySession) -> bool:
        return isinstance(session, UdpSession) and not self._reader.is_disabled(session)

    def forget_ended(self) -> None:
        """Forget sessions that the core knows no more; each call looks up a part of all sessions."""
        for name in self._sessions.share():
            if self._table.seen(*name) is None:
                session = self._sessions.remove(name)
                if session is not None:
                    self._reader.tally(session.number).sessions -= 1

    def _pass_on(
        self, helped: AnyHelped, packet: bytes | bytearray, side: Side, partner: Name | None = None
    ) -> list[bytearray]:
        """The packets to send in place of one that `side` of a session sent. partner: of a hairpinned one."""
        whole = bytes(packet)
        try:
            protocol, at = tcp.transport_of(whole)
            segment = tcp.read(whole, at) if protocol == TCP else None
        except ValueError:
            return [bytearray(whole)]
        name = name_of(helped)
        session = self._known(name, segment) or self._begin(helped, segment, partner)
        if isinstance(session, TcpSession) and segment is not None:
            was_open = session.is_open
            made = session.pass_on(segment, side, self._reader, self._clock())
            if session.is_open and not was_open:
                self._note_open(session)
            return made
        if isinstance(session, UdpSession) and protocol == UDP:
            was_open = session.is_open
            sent = session.pass_on(whole, at, side, self._reader)
            if session.is_open and not was_open:
                self._note_open(session)
            return [sent]
        if session is None and segment is not None and self._takes_over and not segment.flags & SYN:
            return []
        return [untouched(whole)]

    def _known(self, name: Name, segment: tcp.Segment | None) -> AnySession | None:
        """The session of a packet. A retired one is no more where a SYN begins a connection anew."""
        is_new = segment is not None and segment.flags & (SYN | ACK) == SYN
        return self._sessions.get(name) or (None if is_new else self._sessions.retired(name))

    def _begin(
        self, helped: AnyHelped, segment: tcp.Segment | None, partner: Name | None
    ) -> AnySession | None:
        """A session that begins with this packet; None for a TCP connection whose beginning was not seen.

        None too where it has to give way itself, or its partner has.
        """
        if not self._sessions.has_room(helped.internal[0]) or not self._reader.knows(helped.helper):
            return None
        name = name_of(helped)
        endpoints = Session(
            (address(helped.internal[0].packed), helped.internal[1]),
            (address(helped.external[0].packed), helped.external[1]),
            helped.remote,
            helped.inside_began,
            "udp" if segment is None else "tcp",
            self._reader.note_of(name),
            remembered=self._table.remembered(*name) if segment is None else 0,
        )
        session: AnySession
        if segment is None:
            session = UdpSession(name, helped.helper, endpoints)
        elif segment.flags & (SYN | ACK) == SYN:
            session = TcpSession(name, helped.helper, endpoints, self.store)
        else:
            return None
        self._reader.tally(helped.helper).sessions += 1
        giving_way = self._sessions.add(session)
        if partner is not None:
            self._sessions.make_partners(name, partner)
        self._part_with(giving_way)
        if isinstance(session, UdpSession) and not session.is_over:
            session.begin(self._reader)
        return self._sessions.get(name)

    def _note_open(self, session: AnySession) -> None:
        if self._sessions.get(session.name) is session:
            self._part_with(self._sessions.note_open(session))

    def _part_with(self, session: AnySession | None) -> None:
        """Read a session no more, nor its partner: they are let go as soon as the core can correct both."""
        if session is None:
            return
        names = [each for each in (session.name, session.partner) if each is not None]
        sides = [side for each in names if (side := self._sessions.get(each)) is not None]
        for side in sides:
            self._sessions.give_way(side)
        if any(side.is_open for side in sides):
            for name in self.settle(session.name, session.partner):
                self._table.let_go(*name)
            return
        for side in sides:
            self._sessions.remove(side.name)
            self._reader.tally(side.number).sessions -= 1
        for each in names:
            self._table.let_go(*each)


def name_of(helped: AnyHelped) -> Name:
    """The session's name."""
    return helped.session, helped.serial

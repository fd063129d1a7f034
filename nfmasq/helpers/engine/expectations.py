"""Expectations: the sessions that helpers announced to the core, and how long their control sessions live.

What is stored: how each expectation stands (`standing`), and which internal endpoint each external one is
for, whichever session of the host announced it. DCC RESUME and a call to a registered phone name such an
endpoint again. Who writes: whoever holds the engine's lock.

What ends an expectation: its session begins, its time is over, or its control session ends. A word of its
dialogue ends it, and so does a helper that is disabled for the host. With the control session `Announced`
ends, and the data sessions that end with it. An offer of DCC does not outlive its IRC connection either. Its
endpoint is open to anyone, and nothing tells any more whether the offer still stands.

A control session is kept alive while one of its data sessions lives: FTP says nothing during a transfer. A
data session that ends with its control session is kept alive by it: nothing is played in a pause (RTSP). Such
a one keeps its control session only while packets come, or both would live for ever. Calls of PPTP (GRE) are
kept alive by their control session, too: they may be silent.
"""

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address

from nfmasq.core.rows import Expected
from nfmasq.helpers.engine.announced import Announced, Expectation
from nfmasq.helpers.engine.followed import leave_others_alone
from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.engine.ports import KEYED, Ports, require_sane
from nfmasq.helpers.engine.standing import Standing
from nfmasq.helpers.kit.base import SENT, Admitted, Endpoint, Found, Mentioned, NotActedOn, Session

MOST_HOLD_S = 7200
"""The longest time for which a session is held at a dialogue's wish."""
KEPT_S = 60
LOOK_AT_DATA_S = 15
_OVER = frozenset({"closing", "reset"})


class Expectations:
    """The expectations of all control sessions. seconds: how long one waits for its session.

    number_of: the number of the helper that is to read a host's sessions, by its name; 0: none reads them.
    """

    def __init__(
        self,
        core: ExpectingCore,
        seconds: int,
        number_of: Callable[[str, IPv4Address], int] = lambda name, host: 0,
    ) -> None:
        self._core = core
        self._ports = Ports(core, seconds)
        self._number_of = number_of
        self._standing = Standing(core)
        self._owners: dict[tuple[str, Endpoint], tuple[Name, Endpoint]] = {}
        """By transport and external endpoint: the session that announced it last, and the internal one."""

    @property
    def seconds(self) -> int:
        """How long an expectation waits, where its helper says nothing else."""
        return self._ports.seconds

    @seconds.setter
    def seconds(self, seconds: int) -> None:
        self._ports.seconds = seconds

    @property
    def waiting(self) -> int:
        """How many expectations still wait for their session."""
        return self._standing.waiting

    def announce(self, control: Name, session: Session, helper: int, found: Found) -> Endpoint:
        """As `announce_all`; the first external endpoint."""
        return self.announce_all(control, session, helper, found)[0]

    def announce_all(self, control: Name, session: Session, helper: int, found: Found) -> list[Endpoint]:
        """Expect sessions to an endpoint that the internal side wrote; the external one of each port.

        helper: the number of the helper that found it.

        Raises NotActedOn, with the reason why the endpoint must stay as it is.
        """
        internal = session.internal[0]
        is_own = found.address is None or found.address == internal
        if not is_own and not (found.as_seen and found.address == session.external[0]):
            raise NotActedOn("forged")
        announced = self._standing.announced.get(control)
        if found.reuse:
            return [_announced_before(announced, found.transport, found.port)]
        require_sane(session, found)
        announced = announced or Announced(session, helper)
        self._standing.require_room(announced, found.consecutive)
        reader = self._number_of(found.reader, internal) if found.reader else 0
        wanted = earlier = 0
        if found.write is None:
            is_session_s = (found.transport, found.port) == (session.transport, session.internal[1])
            wanted = session.external[1] if is_session_s else found.port
        if found.transport not in KEYED:
            earlier = announced.by_internal.get((found.transport, found.port), (None, 0))[1]
        expect = partial(
            self._ports.expect, control, session, found, reader=reader, standing=announced.waiting
        )
        try:
            row = expect(wanted=wanted or earlier)
        except NotActedOn:
            if wanted or not earlier:
                raise
            row = expect()
        self._store(control, announced, found, row)
        return [each.external for each in row]

    def announce_sent(self, control: Name, session: Session, helper: int, found: Found) -> None:
        """Expect what the internal side is going to send with a key that the other side wrote.

        Raises NotActedOn.
        """
        require_sane(session, found)
        announced = self._standing.announced.get(control) or Announced(session, helper)
        self._standing.require_room(announced, 1)
        (made,) = self._ports.expect(control, session, found._replace(transport=SENT))
        self._standing.note(
            control,
            announced,
            made,
            Expectation(SENT, (announced.host, found.port), made.external, found.ends_with_control, 0, None),
        )

    def admit(self, control: Name, session: Session, admitted: Admitted) -> None:
        """Let another remote host open what this session announced. Raises NotActedOn."""
        announced = self._standing.announced.get(control)
        external = _announced_before(announced, admitted.transport, admitted.port)
        known = announced.newest(admitted.transport, admitted.port) if announced else None
        if announced is None or known is None or admitted.transport in KEYED:
            raise NotActedOn("not_allowed")
        self._standing.require_free_room(announced, 1)
        self._standing.note(
            control, announced, self._ports.admit(control, session, admitted, external[1]), known
        )

    def hold(self, control: Name, session: Session, helper: int, seconds: int) -> None:
        """Keep a control session for so many seconds from now on."""
        announced = self._standing.announced.setdefault(control, Announced(session, helper))
        seconds = min(seconds, MOST_HOLD_S)
        announced.until = self._standing.ticks + seconds
        self._core.keep(*control, seconds)

    def end_announced(self, control: Name, ended: Sequence[tuple[str, int]]) -> None:
        """End what was announced with these transports and internal ports, and what began by it."""
        announced = self._standing.announced.get(control)
        if announced is None or not ended:
            return
        over = set(ended)
        for name, each in [*announced.waiting.items(), *announced.data.items()]:
            if (each.transport, each.internal[1]) in over:
                self._standing.forget(announced, name)
                if not self._core.withdraw(*name) and each.ends_with_control:
                    self._core.end(*name)

    def take_back(self, control: Name, external: Endpoint) -> None:
        """Withdraw expectations whose endpoint could not be written, so that no session will come."""
        announced = self._standing.announced.get(control)
        for name, each in list(announced.waiting.items()) if announced else ():
            if announced and each.external == external and self._core.withdraw(*name):
                self._standing.forget(announced, name)

    def end_where(self, is_disabled: Callable[[int, IPv4Address], bool]) -> None:
        """Withdraw all expectations of helpers (by number) that are disabled for the internal host."""
        for announced in self._standing.announced.values():
            if announced.waiting and is_disabled(announced.helper, announced.host):
                self._standing.withdraw_all(announced)

    def original(self, control: Name, session: Session, mentioned: Mentioned) -> Endpoint | None:
        """The internal endpoint of the host that was announced as the mentioned external one, or None."""
        external = mentioned.address or session.external[0], mentioned.port
        announced = self._standing.announced.get(control)
        own = announced.original(mentioned.transport, *external) if announced else None
        if own is not None or mentioned.transport in KEYED:
            return own
        for transport in (mentioned.transport,) if mentioned.transport else ("tcp", "udp", "gre"):
            _, internal = self._owners.get((transport, external), (None, None))
            if internal is not None and internal[0] == session.internal[0]:
                return internal
        return None

    def note_of(self, name: Name) -> object:
        """What the dialogue of a session that was announced is told; None for any other session."""
        announced = self._standing.announced.get(self._standing.control_of.get(name, name))
        known = (announced.waiting.get(name) or announced.data.get(name)) if announced else None
        return known.note if known else None

    def tick(self) -> None:
        """Once a second: note sessions that began; follow the end of control sessions, or keep them alive."""
        self._standing.ticks += 1
        for control, announced in list(self._standing.announced.items()):
            is_due = (self._standing.ticks + control[0]) % LOOK_AT_DATA_S == 0
            if is_due or announced.waiting or announced.ends_data:
                self._look_after(control, announced, is_due)
        leave_others_alone(self._standing)

    def _look_after(self, control: Name, announced: Announced, is_due: bool) -> None:
        row = self._core.seen(*control)
        is_looked_at = is_due or bool(announced.waiting)
        if is_looked_at:
            self._standing.sort(announced)
        if row is None or row.state in _OVER:
            self._end(control, announced)
            return
        is_needed = is_looked_at and _keeps_control(self._core, announced)
        ticks = self._standing.ticks
        _keep(self._core, control, max(KEPT_S if is_needed else 0, announced.until - ticks))
        for name, each in announced.data.items() if is_due else ():
            _keep(self._core, name, max(KEPT_S if _lives_by_control(each) else 0, each.until - ticks))

    def _end(self, control: Name, announced: Announced) -> None:
        """The control session has ended: what it announced ends too."""
        self._standing.withdraw_all(announced)
        for name, each in list(announced.data.items()):
            self._standing.forget(announced, name)
            if each.ends_with_control:
                self._core.end(*name)
        for owned in announced.by_external:
            if self._owners.get(owned, (None,))[0] == control:
                del self._owners[owned]
        del self._standing.announced[control]

    def _store(self, control: Name, announced: Announced, found: Found, row: Sequence[Expected]) -> None:
        lifetime = min(found.lifetime_s, MOST_HOLD_S)
        until = self._standing.ticks + lifetime if lifetime > 0 else 0
        for nth, each in enumerate(row):
            internal = announced.host, found.port + nth
            expectation = Expectation(
                found.transport, internal, each.external, found.ends_with_control, until, found.note
            )
            self._standing.note(control, announced, each, expectation)
            for forgotten in announced.remember(found.transport, internal, each.external):
                if self._owners.get(forgotten, (None,))[0] == control:
                    del self._owners[forgotten]
            self._owners[found.transport, each.external] = control, internal


def _announced_before(announced: Announced | None, transport: str, port: int) -> Endpoint:
    """The external endpoint of an earlier announcement. Raises NotActedOn: there was none to refer to."""
    external = announced.by_internal.get((transport, port)) if announced else None
    if external is None:
        raise NotActedOn("not_allowed")
    return external


def _keep(core: ExpectingCore, name: Name, seconds: int) -> None:
    """Keep a session for so many seconds from now on; of 0 or less its own timer alone counts."""
    if seconds > 0:
        core.keep(*name, seconds)


def _keeps_control(core: ExpectingCore, announced: Announced) -> bool:
    """Does a data session live by its own packets, and not because its control session lives?"""
    if any(not _lives_by_control(each) for each in announced.data.values()):
        return True
    rows = (core.seen(*name) for name in announced.data)
    return any(row is not None and row.expires_s > KEPT_S for row in rows)


def _lives_by_control(data: Expectation) -> bool:
    """Is the data session kept alive by its control session, because it may be silent?"""
    return data.ends_with_control or data.transport in KEYED

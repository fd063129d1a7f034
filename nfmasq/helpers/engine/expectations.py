"""Expectations: the sessions that helpers announced to the core, and how long their control sessions live.

What is stored: a family for each control session that announced anything: its expectations, the data
sessions that met one, and which external endpoint stands for which original one (DCC RESUME names it again).
Who writes: the engine's thread alone. What ends an expectation: its session arrives, its time is over, or its
control session ends. What ends a family: its control session ends.

A control session is kept alive while one of its data sessions lives: FTP says nothing during a transfer.
"""

from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.engine.ports import Ports
from nfmasq.helpers.kit.base import Endpoint, Found, Refusal, Session

LEAST_PORT = 1024
LAST_PORT = 65535
MOST_WAITING = 16
"""Expectations of one control session."""
MOST_WAITING_IN_ALL = 4096
MOST_REMEMBERED = 32
"""Announcements of one control session that a later message may refer to."""
MOST_IN_A_ROW = 8
KEPT_S = 60
LOOK_AT_DATA_S = 15
_OVER = frozenset({"closing", "reset"})


class Family:
    """One control session's. waiting: expectations. living: data sessions that met one.

    by_internal, by_external: which endpoint was announced as which. full_at: the tick at which the family was
    found full and its sessions were looked up.
    """

    __slots__ = ("by_external", "by_internal", "full_at", "living", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[Name, None] = {}
        self.living: set[Name] = set()
        self.by_internal: dict[tuple[str, int], Endpoint] = {}
        self.by_external: dict[int, Endpoint] = {}
        self.full_at = -1

    def remember(self, transport: str, internal: Endpoint, external: Endpoint) -> None:
        """Store that `internal` was announced as `external`; the oldest announcement is forgotten."""
        if len(self.by_external) >= MOST_REMEMBERED:
            del self.by_external[next(iter(self.by_external))]
        if len(self.by_internal) >= MOST_REMEMBERED:
            del self.by_internal[next(iter(self.by_internal))]
        self.by_internal[transport, internal[1]] = external
        self.by_external[external[1]] = internal


class Expectations:
    """All families. seconds: how long an expectation waits for its session."""

    def __init__(self, core: ExpectingCore, seconds: int) -> None:
        self._core = core
        self._ports = Ports(core, seconds)
        self._families: dict[Name, Family] = {}
        self._waiting = 0
        self._ticks = 0

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
        return self._waiting

    def announce(self, control: Name, session: Session, found: Found) -> Endpoint:
        """Expect sessions to an endpoint that the internal side wrote; the external endpoint for it.

        Raises Refusal, with the reason why the endpoint must stay as it is.
        """
        internal = session.internal[0]
        address = found.address
        is_own = address is None or address == internal
        if not is_own and not (found.as_seen and address == session.external[0]):
            raise Refusal("forged")
        family = self._families.get(control)
        if found.reuse:
            return _announced_before(family, found)
        last = found.port + found.consecutive - 1
        if found.port < LEAST_PORT or last > LAST_PORT:
            raise Refusal("privileged")
        if not 1 <= found.consecutive <= MOST_IN_A_ROW:
            raise Refusal("not_allowed")
        family = family or Family()
        self._require_room(family, found.consecutive)
        row = self._ports.expect(control, session, found)
        self._families[control] = family
        before = len(family.waiting)
        for nth, each in enumerate(row):
            family.waiting[each.session, each.serial] = None
            family.remember(found.transport, (internal, found.port + nth), each.external)
        self._waiting += len(family.waiting) - before
        return row[0].external

    def take_back(self, control: Name, external: Endpoint) -> None:
        """Withdraw an expectation whose endpoint could not be written, so that no session will come."""
        family = self._families.get(control)
        for name in list(family.waiting) if family else ():
            row = self._core.seen(*name)
            if family and row is not None and row.external == external and self._core.withdraw(*name):
                family.waiting.pop(name, None)
                self._waiting -= 1

    def original(self, control: Name, external_port: int) -> Endpoint | None:
        """The internal endpoint that was announced with this external port."""
        family = self._families.get(control)
        return family.by_external.get(external_port) if family else None

    def tick(self) -> None:
        """Once a second: note arrivals, end families without a control session, keep the other ones alive."""
        self._ticks += 1
        for control, family in list(self._families.items()):
            if family.waiting or (self._ticks + control[0]) % LOOK_AT_DATA_S == 0:
                self._look_after(control, family)

    def _look_after(self, control: Name, family: Family) -> None:
        row = self._core.seen(*control)
        self._sort(family)
        if row is None or row.state in _OVER:
            for name in family.waiting:
                self._core.withdraw(*name)
            self._waiting -= len(family.waiting)
            del self._families[control]
        elif family.living:
            self._core.keep(*control, KEPT_S)

    def _sort(self, family: Family) -> None:
        """Find out which expectations were met or expired, and which data sessions still live."""
        before = len(family.waiting)
        for name in list(family.waiting):
            row = self._core.seen(*name)
            if row is None or row.state != "expected":
                family.waiting.pop(name, None)
                if row is not None:
                    family.living.add(name)
        family.living = {name for name in family.living if self._core.seen(*name) is not None}
        self._waiting -= before - len(family.waiting)

    def _require_room(self, family: Family, count: int) -> None:
        """Make room in a full family: its oldest expectations give way. Raises Refusal.

        A client that announces again has given up its older ones (FTP). An expectation that was met takes no
        room; but looking up all of them is dear, so that is done once a tick.
        """
        if len(family.waiting) + count > MOST_WAITING and family.full_at != self._ticks:
            family.full_at = self._ticks
            self._sort(family)
        while len(family.waiting) + count > MOST_WAITING:
            self._give_way(family, next(iter(family.waiting)))
        if self._waiting + count > MOST_WAITING_IN_ALL:
            raise Refusal("no_room")

    def _give_way(self, family: Family, name: Name) -> None:
        """Withdraw an expectation; a session that has met it lives on."""
        del family.waiting[name]
        self._waiting -= 1
        if not self._core.withdraw(*name) and self._core.seen(*name) is not None:
            family.living.add(name)


def _announced_before(family: Family | None, found: Found) -> Endpoint:
    """The external endpoint of an earlier announcement. Raises Refusal: there was none to refer to."""
    external = family.by_internal.get((found.transport, found.port)) if family else None
    if external is None:
        raise Refusal("not_allowed")
    return external

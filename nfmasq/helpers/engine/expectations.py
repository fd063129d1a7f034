"""Expectations: which sessions the helpers announced to the core, and how long their control sessions live.

What is stored: a family for each control session that has announced anything: its announcements still
waited for, the data sessions that have come of them, and which external endpoint stood for which original
one (DCC RESUME names it again). Who writes: the engine's thread alone. What ends an expectation: its
arrival, its time, or the end of its control session; what ends a family: the end of its control session, or
of the last session in it when the control session has no helper any more. A control session is kept alive
while a data session lives.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Protocol

from nfmasq.core.rows import ExpectationRefused, Expected, SessionRow
from nfmasq.helpers.kit.base import Endpoint, Found, Refusal, Session

Name = tuple[int, int]
"""A session's number and serial."""

LEAST_PORT = 1024
LAST_PORT = 65535
MOST_WAITING = 16
"""Of one control session."""
MOST_WAITING_IN_ALL = 4096
MOST_PATIENCE_S = 600
MOST_REMEMBERED = 32
"""Announcements of one control session that may still be referred to."""
MOST_IN_A_ROW = 8
TRIES = 16
"""To find ports in a row."""
KEPT_S = 60
LOOK_AT_DATA_S = 15
_PROTOCOLS = {"tcp": 6, "udp": 17}
_OVER = frozenset({"closing", "reset"})


class Core(Protocol):
    """What is asked of the core's table."""

    def expect(  # noqa: PLR0917  the core's own signature
        self,
        parent: int,
        serial: int,
        protocol: int,
        internal: Endpoint,
        remote: IPv4Address | None,
        remote_port: int,
        seconds: int,
        external_port: int = 0,
    ) -> Expected: ...
    def withdraw(self, session: int, serial: int) -> bool: ...
    def seen(self, session: int, serial: int) -> SessionRow | None: ...
    def keep(self, session: int, serial: int, seconds: int) -> bool: ...


class Family:
    """A control session's. waiting, living: sessions; by_internal, by_external: announced as what.

    full_at: the tick at which it was found full and its sessions were looked up.
    """

    __slots__ = ("by_external", "by_internal", "full_at", "living", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[Name, None] = {}
        self.living: set[Name] = set()
        self.by_internal: dict[tuple[str, int], Endpoint] = {}
        self.by_external: dict[int, Endpoint] = {}
        self.full_at = -1

    def remember(self, transport: str, internal: Endpoint, external: Endpoint) -> None:
        """That an endpoint was announced as another; the oldest is forgotten."""
        if len(self.by_external) >= MOST_REMEMBERED:
            del self.by_external[next(iter(self.by_external))]
        if len(self.by_internal) >= MOST_REMEMBERED:
            del self.by_internal[next(iter(self.by_internal))]
        self.by_internal[transport, internal[1]] = external
        self.by_external[external[1]] = internal


class Expecting:
    """All families. seconds: how long an announced session may take to arrive."""

    def __init__(self, core: Core, seconds: int) -> None:
        self.seconds = seconds
        self._core = core
        self._families: dict[Name, Family] = {}
        self._waiting = 0
        self._ticks = 0

    @property
    def waiting(self) -> int:
        """How many announced sessions nobody has come to yet."""
        return self._waiting

    @property
    def families(self) -> int:
        """How many there are."""
        return len(self._families)

    def announce(self, control: Name, session: Session, found: Found) -> Endpoint:
        """The external endpoint for what the internal side says it is going to be reached at.

        Raises Refusal with the reason it must be left as it is.
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
        row = self._expect_row(control, session, found)
        self._families[control] = family
        before = len(family.waiting)
        for nth, each in enumerate(row):
            family.waiting[each.session, each.serial] = None
            family.remember(found.transport, (internal, found.port + nth), each.external)
        self._waiting += len(family.waiting) - before
        return row[0].external

    def take_back(self, control: Name, external: Endpoint) -> None:
        """What was just announced could not be told: nobody will come."""
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
        """Once a second: see who has come, end what has lost its control session, keep what still has one."""
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
        """See which of those waited for have come or gone, and which data sessions still live."""
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
        """In a family that is full the oldest give way: who announces anew has given them up (FTP).

        Who has come is no longer waited for; but to look all of them up is dear, so it is done once a tick.
        """
        if len(family.waiting) + count > MOST_WAITING and family.full_at != self._ticks:
            family.full_at = self._ticks
            self._sort(family)
        while len(family.waiting) + count > MOST_WAITING:
            self._give_way(family, next(iter(family.waiting)))
        if self._waiting + count > MOST_WAITING_IN_ALL:
            raise Refusal("no_room")

    def _give_way(self, family: Family, name: Name) -> None:
        """Wait for a session no longer; one that has come lives on."""
        del family.waiting[name]
        self._waiting -= 1
        if not self._core.withdraw(*name) and self._core.seen(*name) is not None:
            family.living.add(name)

    def _expect_row(self, control: Name, session: Session, found: Found) -> list[Expected]:
        """Expectations for the port, or for as many in a row as are meant."""
        if found.consecutive == 1:
            return [self._expect(control, session, found)]
        for first in self._first_ports(control, session, found):
            row: list[Expected] = []
            try:
                for nth in range(found.consecutive):
                    row.append(self._expect(control, session, found, nth, first + nth))
            except Refusal:
                self._withdraw(row)
            else:
                return row
        raise Refusal("no_room")

    def _first_ports(self, control: Name, session: Session, found: Found) -> Iterator[int]:
        """First ports worth trying: one the core hands out, made even where two are meant."""
        for _ in range(TRIES):
            tried = self._expect(control, session, found)
            self._withdraw([tried])
            port = tried.external[1]
            yield port + port % 2 if found.consecutive == 2 else port

    def _expect(
        self, control: Name, session: Session, found: Found, nth: int = 0, external_port: int = 0
    ) -> Expected:
        try:
            return self._core.expect(
                *control,
                _PROTOCOLS[found.transport],
                (session.internal[0], found.port + nth),
                None if found.anyone else session.remote[0],
                found.from_port,
                self._patience(found.patience_s) if found.patience_s else self.seconds,
                external_port,
            )
        except ExpectationRefused as refused:
            raise Refusal(str(refused)) from None

    def _patience(self, wanted_s: int) -> int:
        return max(self.seconds, min(wanted_s, MOST_PATIENCE_S))

    def _withdraw(self, row: list[Expected]) -> None:
        for each in row:
            self._core.withdraw(each.session, each.serial)


def _announced_before(family: Family | None, found: Found) -> Endpoint:
    """Where a message refers to an earlier announcement; without one there is nothing to write."""
    external = family.by_internal.get((found.transport, found.port)) if family else None
    if external is None:
        raise Refusal("not_allowed")
    return external

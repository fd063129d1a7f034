"""Expectations: the sessions that helpers announced to the core, and how long their control sessions live.

What is stored: `Announced` for each control session that announced anything. It holds expectations, the
data sessions that began by one, and which external endpoint stands for which original one. DCC RESUME names
such an endpoint again. Who writes: whoever holds the engine's lock. What ends an expectation: its session
begins, its time is over, its control session ends, or its helper is disabled for the host. The end of the
control session ends `Announced` too. An offer of DCC does not outlive its IRC connection either. Its
endpoint is open to anyone, and nothing tells any more whether the offer still stands.

A control session is kept alive while one of its data sessions lives: FTP says nothing during a transfer.
"""

from collections.abc import Callable
from ipaddress import IPv4Address

from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.engine.ports import Ports
from nfmasq.helpers.kit.base import Endpoint, Found, NotActedOn, Session
from nfmasq.helpers.kit.numbers import LARGEST_PORT

LEAST_PORT = 1024
MOST_EXPECTATIONS = 16
"""Expectations of one control session."""
MOST_EXPECTATIONS_IN_ALL = 4096
MOST_REMEMBERED = 32
"""Announcements of one control session that a later message may refer to."""
MOST_IN_A_ROW = 8
KEPT_S = 60
LOOK_AT_DATA_S = 15
_OVER = frozenset({"closing", "reset"})


class Announced:
    """What one control session announced. host: the internal one. helper: the number of its helper."""

    __slots__ = ("by_external", "by_internal", "data", "full_at", "helper", "host", "waiting")

    def __init__(self, host: IPv4Address, helper: int) -> None:
        self.host = host
        self.helper = helper
        self.waiting: dict[Name, None] = {}
        """Expectations, the oldest first."""
        self.data: set[Name] = set()
        """Live data sessions that began by an expectation."""
        self.by_internal: dict[tuple[str, int], Endpoint] = {}
        """External endpoints, by transport and internal port."""
        self.by_external: dict[int, Endpoint] = {}
        """Internal endpoints, by external port."""
        self.full_at = -1
        """The tick at which no room was left and all sessions were looked up."""

    def remember(self, transport: str, internal: Endpoint, external: Endpoint) -> None:
        """Store that `internal` was announced as `external`; the oldest announcement is forgotten."""
        if len(self.by_external) >= MOST_REMEMBERED:
            del self.by_external[next(iter(self.by_external))]
        if len(self.by_internal) >= MOST_REMEMBERED:
            del self.by_internal[next(iter(self.by_internal))]
        self.by_internal[transport, internal[1]] = external
        self.by_external[external[1]] = internal


class Expectations:
    """The expectations of all control sessions. seconds: how long one waits for its session."""

    def __init__(self, core: ExpectingCore, seconds: int) -> None:
        self._core = core
        self._ports = Ports(core, seconds)
        self._announced: dict[Name, Announced] = {}
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

    def announce(self, control: Name, session: Session, helper: int, found: Found) -> Endpoint:
        """Expect sessions to an endpoint that the internal side wrote; the external endpoint for it.

        helper: the number of the helper that found it.

        Raises NotActedOn, with the reason why the endpoint must stay as it is.
        """
        internal = session.internal[0]
        address = found.address
        is_own = address is None or address == internal
        if not is_own and not (found.as_seen and address == session.external[0]):
            raise NotActedOn("forged")
        announced = self._announced.get(control)
        if found.reuse:
            return _announced_before(announced, found)
        if found.port + found.consecutive - 1 > LARGEST_PORT:
            raise NotActedOn("malformed")
        if found.port < LEAST_PORT:
            raise NotActedOn("privileged")
        if not 1 <= found.consecutive <= MOST_IN_A_ROW:
            raise NotActedOn("not_allowed")
        announced = announced or Announced(internal, helper)
        self._require_room(announced, found.consecutive)
        row = self._ports.expect(control, session, found)
        self._announced[control] = announced
        before = len(announced.waiting)
        for nth, each in enumerate(row):
            announced.waiting[each.session, each.serial] = None
            announced.remember(found.transport, (internal, found.port + nth), each.external)
        self._waiting += len(announced.waiting) - before
        return row[0].external

    def take_back(self, control: Name, external: Endpoint) -> None:
        """Withdraw an expectation whose endpoint could not be written, so that no session will come."""
        announced = self._announced.get(control)
        for name in list(announced.waiting) if announced else ():
            row = self._core.seen(*name)
            if announced and row is not None and row.external == external and self._core.withdraw(*name):
                announced.waiting.pop(name, None)
                self._waiting -= 1

    def end_where(self, is_disabled: Callable[[int, IPv4Address], bool]) -> None:
        """Withdraw all expectations of helpers (by number) that are disabled for the internal host."""
        for announced in self._announced.values():
            if announced.waiting and is_disabled(announced.helper, announced.host):
                self._withdraw_all(announced)

    def original(self, control: Name, external_port: int) -> Endpoint | None:
        """The internal endpoint that was announced with this external port."""
        announced = self._announced.get(control)
        return announced.by_external.get(external_port) if announced else None

    def tick(self) -> None:
        """Once a second: note sessions that began; follow the end of control sessions, or keep them alive."""
        self._ticks += 1
        for control, announced in list(self._announced.items()):
            if announced.waiting or (self._ticks + control[0]) % LOOK_AT_DATA_S == 0:
                self._look_after(control, announced)

    def _look_after(self, control: Name, announced: Announced) -> None:
        row = self._core.seen(*control)
        self._sort(announced)
        if row is None or row.state in _OVER:
            self._withdraw_all(announced)
            del self._announced[control]
        elif announced.data:
            self._core.keep(*control, KEPT_S)

    def _withdraw_all(self, announced: Announced) -> None:
        for name in announced.waiting:
            self._core.withdraw(*name)
        self._waiting -= len(announced.waiting)
        announced.waiting.clear()

    def _sort(self, announced: Announced) -> None:
        """Find out which expectations ended, and which data sessions still live."""
        before = len(announced.waiting)
        for name in list(announced.waiting):
            row = self._core.seen(*name)
            if row is None or row.state != "expected":
                announced.waiting.pop(name, None)
                if row is not None:
                    announced.data.add(name)
        announced.data = {name for name in announced.data if self._core.seen(*name) is not None}
        self._waiting -= before - len(announced.waiting)

    def _require_room(self, announced: Announced, count: int) -> None:
        """Make room for `count` expectations: the oldest give way. Raises NotActedOn.

        A client that announces again has given up its older ones (FTP). An expectation whose session has
        begun takes no room. Looking up all of them is dear, so that is done once a tick.
        """
        if len(announced.waiting) + count > MOST_EXPECTATIONS and announced.full_at != self._ticks:
            announced.full_at = self._ticks
            self._sort(announced)
        while len(announced.waiting) + count > MOST_EXPECTATIONS:
            self._give_way(announced, next(iter(announced.waiting)))
        if self._waiting + count > MOST_EXPECTATIONS_IN_ALL:
            raise NotActedOn("no_room")

    def _give_way(self, announced: Announced, name: Name) -> None:
        """Withdraw an expectation; a session that began by it lives on."""
        del announced.waiting[name]
        self._waiting -= 1
        if not self._core.withdraw(*name) and self._core.seen(*name) is not None:
            announced.data.add(name)


def _announced_before(announced: Announced | None, found: Found) -> Endpoint:
    """The external endpoint of an earlier announcement. Raises NotActedOn: there was none to refer to."""
    external = announced.by_internal.get((found.transport, found.port)) if announced else None
    if external is None:
        raise NotActedOn("not_allowed")
    return external

"""Which expectations stand in the core, and which sessions have begun by one.

What is stored: `Announced` of each control session, the control session of each expectation, and how many
each host and each of its callers has. Who writes: `Expectations`. What ends an entry: its session ends, in
the core or by a wish; or a newer expectation needs its place. Then the oldest of its control session gives
way, or the newest of the greediest (`shares`). Media give way to no newer ones of their control session: the
other side of another call has been told of them. So the newer ones are refused.

Media that anyone may open are open to the first host alone. When a host has come, or one is admitted, the
expectation that is open to anyone ends. The former is found out once a second.
"""

from collections.abc import Callable
from ipaddress import IPv4Address

from nfmasq.core.rows import Expected, SessionRow
from nfmasq.helpers.engine.announced import Announced, Expectation
from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.engine.ports import KEYED
from nfmasq.helpers.engine.shares import Shares
from nfmasq.helpers.kit.base import NotActedOn

MOST_EXPECTATIONS = 64
"""Expectations of one control session."""
MOST_EXPECTED_MEDIA = 512
"""Expectations of one control session for media: an exchange has all its calls on one (SIP)."""
MOST_EXPECTATIONS_IN_ALL = 4096


SpeaksFor = tuple[int, IPv4Address]
"""A helper's number and an internal host: all sessions of both. Where a helper keeps something of the host
(Helper.meet), one session ends what another announced: a BYE of SIP takes a way of its own."""


class Standing:
    """All of them. announced: what each control session announced. control_of: by expectation.

    of_host: the same as announced, by helper and internal host. ticks: seconds since the start.
    """

    def __init__(self, core: ExpectingCore) -> None:
        self.announced: dict[Name, Announced] = {}
        self.control_of: dict[Name, Name] = {}
        self.of_host: dict[tuple[int, IPv4Address], dict[Name, Announced]] = {}
        self.ticks = 0
        self._core = core
        self._shares = Shares(MOST_EXPECTATIONS_IN_ALL)

    @property
    def waiting(self) -> int:
        """How many expectations still wait for their session."""
        return len(self._shares)

    def begin(self, control: Name, announced: Announced) -> None:
        """Store what a control session announces from now on. Harmless when it is stored already."""
        if control not in self.announced:
            self.announced[control] = announced
            self.of_host.setdefault((announced.helper, announced.host), {})[control] = announced

    def end(self, control: Name) -> None:
        """Forget a control session."""
        announced = self.announced.pop(control)
        own = self.of_host[announced.helper, announced.host]
        del own[control]
        if not own:
            del self.of_host[announced.helper, announced.host]

    def note(self, control: Name, announced: Announced, each: Expected, expectation: Expectation) -> None:
        """Store an expectation that the core has made, or renewed, for a control session."""
        name = each.session, each.serial
        self.begin(control, announced)
        if name in self.control_of:
            self.forget(announced, name)
        announced.note(name, expectation)
        self.control_of[name] = control
        self._shares.begin(name, announced.host, announced.caller)

    def heard_of(self, control: Name, speaks_for: SpeaksFor | None) -> dict[Name, Announced]:
        """Of what a session may speak: its own announcements first, then of those it speaks for."""
        own = self.announced.get(control)
        others = self.of_host.get(speaks_for, {}) if speaks_for else {}
        return others if own is None else {control: own, **others}

    def find(
        self, control: Name, speaks_for: SpeaksFor | None, endpoint: tuple[str, int]
    ) -> tuple[Name, Announced, Expectation]:
        """The expectation at a transport and internal port, and whose it is. Raises NotActedOn.

        One that waits, or whose session lives, counts before one whose time is over. A call may ring for
        longer than its media wait, so theirs are found until they are over.
        """
        heard_of = self.heard_of(control, speaks_for) if endpoint[0] not in KEYED else {}
        for latest in (Announced.newest, Announced.expired):
            for owner, announced in heard_of.items():
                known = latest(announced, *endpoint)
                if known is not None:
                    return owner, announced, known
        raise NotActedOn("not_allowed")

    def sort(self, announced: Announced) -> None:
        """Find out which expectations ended, and which data sessions still live."""
        for name in [*announced.waiting, *announced.data]:
            self._look_up(announced, name)

    def live(self, announced: Announced, transport: str, port: int) -> Expectation | None:
        """The oldest session of this internal endpoint that began by an expectation and lives; or None."""
        for name in list(announced.names.get((transport, port), ())):
            self._look_up(announced, name)
            if name in announced.data:
                return announced.data[name]
        return None

    def close(self, announced: Announced, transport: str, port: int) -> None:
        """End the expectation of media at this internal endpoint that is open to anyone."""
        for name in list(announced.names.get((transport, port), ())):
            each = announced.waiting.get(name)
            if each is not None and each.media and each.remote is None and self._core.withdraw(*name):
                self.forget(announced, name)

    def _look_up(self, announced: Announced, name: Name) -> None:
        """Find out whether an expectation still waits, or its session still lives."""
        each = announced.waiting.get(name)
        if each is not None and self._core.is_expected(*name):
            return
        row = self._core.seen(*name)
        if row is None:
            self.forget(announced, name)
        elif each is not None:
            self._begin(announced, name, each, row)

    def _begin(self, announced: Announced, name: Name, each: Expectation, row: SessionRow) -> None:
        """An expectation's session has begun: it is no expectation any more."""
        del announced.waiting[name]
        announced.data[name] = each._replace(remote=row.remote[0], heard=self.ticks)
        self._shares.end(name)
        if each.media:
            self.close(announced, each.transport, each.internal[1])

    def require_room(self, announced: Announced, count: int, *, media: bool = False) -> None:
        """Make room for `count` expectations: the oldest of the session give way, or those of the greediest.

        A client that announces again has given up its older ones (FTP). Media give no way to each other:
        raises NotActedOn. An expectation whose session has begun takes no room. Looking up all of them is
        dear, so that is done once a tick.
        """
        most = MOST_EXPECTED_MEDIA if media else MOST_EXPECTATIONS
        self._sort_where_full(announced, count, most)
        while len(announced.waiting) + count > most:
            giving_way = (name for name, each in announced.waiting.items() if not each.media)
            oldest = None if media else next(giving_way, None)
            if oldest is None:
                raise NotActedOn("no_room")
            self._give_way(announced, oldest)
        while len(self._shares) and not self._shares.has_room(count):
            name = self._shares.end_one()
            self._give_way(self.announced[self.control_of[name]], name)
        if not self._shares.has_room(count):
            raise NotActedOn("no_room")

    def require_free_room(self, announced: Announced, count: int, *, media: bool = False) -> None:
        """Raise NotActedOn where an expectation would have to give way: it may be the one that is widened."""
        most = MOST_EXPECTED_MEDIA if media else MOST_EXPECTATIONS
        self._sort_where_full(announced, count, most)
        if len(announced.waiting) + count > most or not self._shares.has_room(count):
            raise NotActedOn("no_room")

    def _sort_where_full(self, announced: Announced, count: int, most: int) -> None:
        if len(announced.waiting) + count > most and announced.full_at != self.ticks:
            announced.full_at = self.ticks
            self.sort(announced)

    def _give_way(self, announced: Announced, name: Name) -> None:
        """Withdraw an expectation; a session that began by it lives on."""
        each = announced.waiting[name]
        if self._core.withdraw(*name) or (row := self._core.seen(*name)) is None:
            self.forget(announced, name)
        else:
            self._begin(announced, name, each, row)

    def withdraw_all(self, announced: Announced) -> None:
        """Withdraw the expectations of a control session; sessions that began by one live on."""
        for name in list(announced.waiting):
            self._core.withdraw(*name)
            self.forget(announced, name)

    def withdraw_where(self, is_disabled: Callable[[int, IPv4Address], bool]) -> None:
        """Withdraw the expectations of helpers (by number) that are disabled for the internal host.

        Sessions that began by one live by their own timers: no word ends them any more.
        """
        for announced in self.announced.values():
            if is_disabled(announced.helper, announced.host):
                self.withdraw_all(announced)
                announced.let_live()

    def note_of(self, name: Name) -> object:
        """What the dialogue of a session that was announced is told; None for any other session."""
        announced = self.announced.get(self.control_of.get(name, name))
        known = (announced.waiting.get(name) or announced.data.get(name)) if announced else None
        return known.note if known else None

    def forget(self, announced: Announced, name: Name) -> None:
        """Forget an expectation that is over, or a session that began by one. Harmless when it is unknown."""
        announced.forget(name)
        self.control_of.pop(name, None)
        self._shares.end(name)

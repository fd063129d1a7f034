"""Which expectations stand in the core, and which sessions have begun by one.

What is stored: `Announced` of each control session, the control session of each expectation, and how many
each host and each of its callers has. Who writes: `Expectations`. What ends an entry: its session ends, in
the core or by a wish; or a newer expectation needs its place. Then the oldest of its control session gives
way, or the newest of the greediest (`shares`).
"""

from ipaddress import IPv4Address

from nfmasq.core.rows import Expected
from nfmasq.helpers.engine.announced import Announced, Expectation
from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.engine.shares import Shares
from nfmasq.helpers.kit.base import NotActedOn

MOST_EXPECTATIONS = 64
"""Expectations of one control session: an exchange has all its calls on one (SIP)."""
MOST_EXPECTATIONS_IN_ALL = 4096


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
            self.forget(self.announced[self.control_of[name]], name)
        announced.waiting[name] = expectation
        self.control_of[name] = control
        self._shares.begin(name, announced.host, announced.caller)

    def sort(self, announced: Announced) -> None:
        """Find out which expectations ended, and which data sessions still live."""
        for name, each in list(announced.waiting.items()):
            row = self._core.seen(*name)
            if row is None:
                self.forget(announced, name)
            elif row.state != "expected":
                self._begin(announced, name, each)
        for name in list(announced.data):
            if self._core.seen(*name) is None:
                self.forget(announced, name)

    def _begin(self, announced: Announced, name: Name, each: Expectation) -> None:
        """An expectation's session has begun: it is no expectation any more."""
        del announced.waiting[name]
        announced.data[name] = each
        self._shares.end(name)

    def require_room(self, announced: Announced, count: int) -> None:
        """Make room for `count` expectations: the oldest of the session give way, or those of the greediest.

        A client that announces again has given up its older ones (FTP). An expectation whose session has
        begun takes no room. Looking up all of them is dear, so that is done once a tick.
        """
        self._sort_where_full(announced, count)
        while len(announced.waiting) + count > MOST_EXPECTATIONS:
            self._give_way(announced, next(iter(announced.waiting)))
        while len(self._shares) and not self._shares.has_room(count):
            name = self._shares.end_one()
            self._give_way(self.announced[self.control_of[name]], name)
        if not self._shares.has_room(count):
            raise NotActedOn("no_room")

    def require_free_room(self, announced: Announced, count: int) -> None:
        """Raise NotActedOn where an expectation would have to give way: it may be the one that is widened."""
        self._sort_where_full(announced, count)
        if len(announced.waiting) + count > MOST_EXPECTATIONS or not self._shares.has_room(count):
            raise NotActedOn("no_room")

    def _sort_where_full(self, announced: Announced, count: int) -> None:
        if len(announced.waiting) + count > MOST_EXPECTATIONS and announced.full_at != self.ticks:
            announced.full_at = self.ticks
            self.sort(announced)

    def _give_way(self, announced: Announced, name: Name) -> None:
        """Withdraw an expectation; a session that began by it lives on."""
        each = announced.waiting[name]
        if self._core.withdraw(*name) or self._core.seen(*name) is None:
            self.forget(announced, name)
        else:
            self._begin(announced, name, each)

    def withdraw_all(self, announced: Announced) -> None:
        """Withdraw the expectations of a control session; sessions that began by one live on."""
        for name in list(announced.waiting):
            self._core.withdraw(*name)
            self.forget(announced, name)

    def forget(self, announced: Announced, name: Name) -> None:
        """Forget an expectation that is over, or a session that began by one. Harmless when it is unknown."""
        announced.waiting.pop(name, None)
        announced.data.pop(name, None)
        self.control_of.pop(name, None)
        self._shares.end(name)

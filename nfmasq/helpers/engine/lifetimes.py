"""How long control sessions live, and the data sessions that were announced in them.

Nothing is stored here; `standing` says what there is. Who calls: `Expectations`, once a second.

A control session is kept alive while one of its data sessions lives: FTP says nothing during a transfer. A
data session that ends with its control session is kept alive by it: nothing is played in a pause (RTSP). Such
a one keeps its control session only while packets come, or both would live for ever. Calls of PPTP (GRE) are
kept alive by their control session, too: they may be silent.

A phone's control session lives for as long as the phone is registered. Media whose BYE was never heard would
live as long. So what has had no packets for MOST_SILENT_S lives by its own timer.
"""

from nfmasq.helpers.engine.announced import Announced, Expectation
from nfmasq.helpers.engine.followed import leave_others_alone
from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.engine.owners import Owners
from nfmasq.helpers.engine.ports import KEYED
from nfmasq.helpers.engine.standing import Standing

MOST_HOLD_S = 7200
"""The longest time for which a session is held at a dialogue's wish."""
MOST_SILENT_S = 7200
"""The longest time without packets for which a data session is kept by its control session."""
KEPT_S = 60
LOOK_AT_DATA_S = 15
_OVER = frozenset({"closing", "reset"})


class Lifetimes:
    """Those of all control sessions."""

    def __init__(self, core: ExpectingCore, standing: Standing, owners: Owners) -> None:
        self._core = core
        self._standing = standing
        self._owners = owners

    def hold(self, control: Name, announced: Announced, seconds: int) -> None:
        """Keep a control session for so many seconds from now on."""
        self._standing.begin(control, announced)
        seconds = min(seconds, MOST_HOLD_S)
        announced.until = self._standing.ticks + seconds
        self._core.keep(*control, seconds)

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
        for name, each in list(announced.data.items()) if is_due else ():
            is_kept = _lives_by_control(each) and self._is_heard(announced, name, each)
            _keep(self._core, name, max(KEPT_S if is_kept else 0, each.until - ticks))

    def _is_heard(self, announced: Announced, name: Name, each: Expectation) -> bool:
        """Had a session packets in the last MOST_SILENT_S? Calls with a key may be silent for longer."""
        row = self._core.seen(*name)
        if row is not None and row.expires_s > KEPT_S:
            each = announced.data[name] = each._replace(heard=self._standing.ticks)
        return each.transport in KEYED or self._standing.ticks - each.heard <= MOST_SILENT_S

    def _end(self, control: Name, announced: Announced) -> None:
        """The control session has ended: what it announced ends too."""
        self._standing.withdraw_all(announced)
        for name, each in list(announced.data.items()):
            self._standing.forget(announced, name)
            if each.ends_with_control:
                self._core.end(*name)
        self._owners.forget(control, announced.by_external)
        self._standing.end(control)


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

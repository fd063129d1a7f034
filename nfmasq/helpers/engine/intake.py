"""Bytes of one side that wait for its dialogue: the other side may not receive them yet.

What is stored: the bytes from `stream.taken` on that came without a gap (`waiting`), and pieces from behind
gaps (`early`). Both are bounded for one stream, and for all sessions together by `Store`. Who writes: the
engine. What ends the wait: the dialogue takes the bytes, or it ends and all bytes go untouched.

No packet waits, only bytes. Each packet goes on with the bytes that may go by then; the packet that completes
a message carries the bytes that waited before it. TCP sends again what is still missing then.
"""

from nfmasq.helpers.engine.stream import Stream
from nfmasq.helpers.kit.base import MOST_UNTAKEN

MOST_EARLY = 65536
"""Bytes behind gaps that are kept, of one side."""
MOST_PIECES = 64
"""Pieces behind gaps that are kept, of one side."""
LONGEST_WAIT_S = 1.0


class Store:
    """Bytes that wait in all sessions (`used`), of `most`; at most half of them lie behind gaps."""

    __slots__ = ("most", "used")

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0


class Intake:
    """The waiting bytes of one stream. since: when the first one came. ended: a FIN went on behind them.

    most: how many may wait.
    """

    __slots__ = ("_early", "_store", "ended", "most", "since", "stream", "waiting")

    def __init__(self, stream: Stream, store: Store, most: int = MOST_UNTAKEN) -> None:
        self.stream = stream
        self.most = most
        self.waiting = b""
        self.ended = False
        self.since = 0.0
        self._early: list[tuple[int, bytes]] | None = None
        self._store = store

    @property
    def reach(self) -> int:
        """The position behind the last byte that came without a gap."""
        return self.stream.taken + len(self.waiting)

    def is_overdue(self, now: float) -> bool:
        """Have bytes waited longer than LONGEST_WAIT_S?"""
        return bool(self.waiting) and now - self.since > LONGEST_WAIT_S

    def is_overfull(self) -> bool:
        """Do more bytes wait than `most`, or than all sessions may have?"""
        return bool(self.waiting) and (len(self.waiting) > self.most or self._store.used > self._store.most)

    def receive(self, at: int, payload: bytes, now: float) -> bool:
        """Store the bytes from position `at` on; True when more bytes wait now."""
        reach = self.reach
        if at > reach:
            self._keep(at, payload)
            return False
        fresh = payload[reach - at :]
        if not fresh:
            return False
        if not self.waiting:
            self.since = now
        self.waiting += fresh
        self._store.used += len(fresh)
        if self._early:
            self._close_gaps()
        return True

    def take(self, count: int, now: float) -> None:
        """The first `count` of the waiting bytes go on their way."""
        if count:
            self.stream.taken += count
            self.waiting = self.waiting[count:]
            self.since = now
            self._store.used -= count

    def give_up(self) -> None:
        """All waiting bytes go; pieces behind gaps are forgotten."""
        self.take(len(self.waiting), 0.0)
        for _, piece in self._early or ():
            self._store.used -= len(piece)
        self._early = None

    def _keep(self, at: int, piece: bytes) -> None:
        early = self._early or []
        kept = sum(len(other) for _, other in early) + len(piece)
        if not piece or kept > MOST_EARLY or len(early) == MOST_PIECES or (at, piece) in early:
            return
        if self._store.used + len(piece) <= self._store.most // 2:
            self._store.used += len(piece)
            self._early = sorted([*early, (at, piece)])

    def _close_gaps(self) -> None:
        left = []
        for at, piece in self._early or ():
            if at > self.reach:
                left.append((at, piece))
                continue
            fresh = piece[self.reach - at :]
            self.waiting += fresh
            self._store.used += len(fresh) - len(piece)
        self._early = left or None

"""What the router itself takes, kept: tunnels and IPsec states are read again only where one changed.

What is stored: two watches, and what was read last. One thread alone may call `taken`, and it is of that
thread's network namespace. A kind that cannot be watched, or was not read, is read at the next look.
`close` ends it.

Sockets have no events. Their tables are short, and are read at each look.
"""

from collections.abc import Callable

from nfmasq.machine.own import Taken, fewest, sockets, states, tunnels
from nfmasq.machine.watches import StatesWatch, TunnelsWatch


class OwnFollowed:
    """Of one router. reads: how often tunnels and states were read so far."""

    def __init__(self) -> None:
        self.reads = 0
        self._kinds = (_Kind(TunnelsWatch, tunnels), _Kind(StatesWatch, states))

    def taken(self, most: int) -> tuple[Taken, ...]:
        """What the router takes now; at most so many: where there are more, whole protocols."""
        for kind in self._kinds:
            self.reads += kind.follow()
        return fewest([*sockets(), *(each for kind in self._kinds for each in kind.taken)], most)

    def close(self) -> None:
        """Watch no more. Harmless when called twice."""
        for kind in self._kinds:
            kind.close()


class _Kind:
    """Tunnels or states."""

    def __init__(
        self, make: Callable[[], TunnelsWatch | StatesWatch], read: Callable[[], list[Taken]]
    ) -> None:
        self.taken: list[Taken] = []
        self._read = read
        self._due = True
        self._watch: TunnelsWatch | StatesWatch | None = None
        try:
            self._watch = make()
        except OSError:  # this kernel has none of the kind
            return

    def follow(self) -> bool:
        """Read if something changed; return whether it was read. Without an answer nothing is taken."""
        try:
            self._due |= self._watch is None or self._watch.rang()
            if not self._due:
                return False
            self.taken = self._read()
            self._due = False
        except OSError:
            self.taken, self._due = [], True
        return True

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()

"""What the router itself takes, kept: tunnels and IPsec states are read again only where one changed.

What is stored: of each kind a watch, and what was read last. One thread alone may call `taken`, and it is of
that thread's network namespace. A kind that cannot be watched, or was not read, is read at the next look.
Where a read fails, the answer of before stays, and the failure is a problem. A kernel without the kind is
asked once: each question would have it look for the module again. `close` ends all.

Sockets have no events. Their tables are short, and are read at each look.
"""

import errno
from collections.abc import Callable

from nfmasq.machine.own import Taken, fewest, sockets, states, tunnels
from nfmasq.machine.watches import StatesWatch, TunnelsWatch


class OwnFollowed:
    """Of one router. reads: how often tunnels and states were read so far."""

    def __init__(self) -> None:
        self.reads = 0
        self._sockets = _Kind("raw sockets", sockets, None)
        self._watched = (
            _Kind("tunnels", tunnels, TunnelsWatch),
            _Kind("IPsec states", states, StatesWatch),
        )

    def taken(self, most: int) -> tuple[Taken, ...]:
        """What the router takes now; at most so many: where there are more, whole protocols."""
        self._sockets.follow()
        for kind in self._watched:
            self.reads += kind.follow()
        return fewest([each for kind in (self._sockets, *self._watched) for each in kind.taken], most)

    def problems(self) -> list[str]:
        """What could not be read at the last look, a line a kind."""
        return [
            f"the router's own {kind.name} cannot be read: {kind.failure}"
            for kind in (self._sockets, *self._watched)
            if kind.failure
        ]

    def close(self) -> None:
        """Watch no more. Harmless when called twice."""
        for kind in self._watched:
            kind.close()


class _Kind:
    """Tunnels, states or sockets. watch: makes a watch over these; None: no event tells of them."""

    def __init__(
        self,
        name: str,
        read: Callable[[], list[Taken]],
        watch: Callable[[], TunnelsWatch | StatesWatch] | None,
    ) -> None:
        self.name = name
        self.taken: list[Taken] = []
        self.failure = ""
        self._read = read
        self._make = watch
        self._watch: TunnelsWatch | StatesWatch | None = None
        self._due = True
        self._is_there = True

    def follow(self) -> bool:
        """Read if something changed; return whether it was read. A read that fails is due again."""
        self._due |= self._rang()
        if not (self._is_there and self._due):
            return False
        try:
            self.taken, self._due, self.failure = self._read(), False, ""
        except OSError as error:
            if not self._lacks(error):
                self.failure = error.strerror or str(error)
        return True

    def _rang(self) -> bool:
        """Whether something may have changed. Without a watch: yes, and a watch is made for the next look."""
        if self._make is None or not self._is_there:
            return True
        try:
            if self._watch is not None:
                return self._watch.rang()
            self._watch = self._make()
        except OSError as error:
            self.close()
            self._lacks(error)
        return True

    def _lacks(self, error: OSError) -> bool:
        """Whether the kernel has none of the kind. Then nothing is taken, and nothing is asked again."""
        if error.errno != errno.EPROTONOSUPPORT:
            return False
        self.taken, self.failure, self._is_there = [], "", False
        return True

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._watch = None

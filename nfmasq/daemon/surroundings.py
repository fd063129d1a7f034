"""Follows the machine's surroundings by the kernel's events: uplinks, addresses, and what is inside.

What is stored: the mirror of the machine's links, addresses and routes; what was derived of it last; the
state of each uplink. One thread alone may call `follow`; any thread may read `now` and `uplinks`. The mirror
is made at the first look, in that thread's network namespace. A failure gives it up, and the next look makes
another. `close` ends it.

Only what changed is derived anew: a route that touches nothing inside costs microseconds.
"""

from nfmasq.config import Config, Wanted, wanted_of
from nfmasq.control.running import UplinkState
from nfmasq.machine.mirror import Mirror
from nfmasq.machine.picture import Picture
from nfmasq.machine.surroundings import Derived, Surroundings, derive
from nfmasq.machine.uplinks import Outside


class FollowedSurroundings:
    """The surroundings of one daemon. Before the first look every interface is away."""

    def __init__(self, config: Config) -> None:
        self._wanted: Wanted = wanted_of(config)
        self._derived: Derived | None = None
        self._mirror: Mirror | None = None
        self._config = config
        self.now: Surroundings = derive(self._wanted, Picture()).surroundings
        self.uplinks: tuple[UplinkState, ...] = self._states(Picture())

    @property
    def doorbell(self) -> int:
        """The descriptor that is readable when something changed; -1: there is none now."""
        return -1 if self._mirror is None else self._mirror.fileno()

    def follow(self, config: Config) -> bool:
        """Look once; return whether the surroundings are others.

        Raises OSError if the kernel cannot be read.
        """
        if config is not self._config:
            self._config, self._wanted, self._derived = config, wanted_of(config), None
        try:
            if self._mirror is None:
                self._mirror = Mirror()
            changes = self._mirror.follow()
        except OSError:
            self.close()
            raise
        before, self._derived = self._derived, None  # if this fails, the next look derives
        if before is None:
            self._derived = derive(self._wanted, self._mirror)
        else:
            self._derived = before.after(self._mirror, changes)
        if self._derived is before and not changes.links:
            return False
        seen_before = self.now
        if self._derived.surroundings != seen_before:
            self.now = self._derived.surroundings
        self.uplinks = self._states(self._mirror)
        return self.now is not seen_before

    def close(self) -> None:
        """Follow no more, until the next look."""
        if self._mirror is not None:
            self._mirror.close()
        self._mirror = self._derived = None

    def _states(self, seen: Picture) -> tuple[UplinkState, ...]:
        return tuple(
            UplinkState(outside.name, outside.pooled, _state(outside, seen)) for outside in self.now.outsides
        )


def _state(outside: Outside, seen: Picture) -> str:
    link = seen.links.get(outside.index)
    if link is None:
        return "away"
    if not (link.up and link.running):
        return "down"
    return "ok" if outside.pooled else "no address"

"""What one control session announced: its expectations, and the sessions that began by them.

What is stored: expectations in order of age, live sessions that began by one, and which external endpoint
stands for which internal one. Who writes: `Expectations`. What ends it: the end of the control session.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.engine.shares import caller_of
from nfmasq.helpers.kit.base import Endpoint, Session

MOST_REMEMBERED = 256
"""Announcements of one control session that a later message may refer to, beyond those that still stand."""

Owned = tuple[str, int, int]
"""A transport and an external endpoint; the address is a number, which is looked up faster."""


def owned(transport: str, external: Endpoint) -> Owned:
    """An external endpoint as it is looked up."""
    return transport, int(external[0]), external[1]


class Expectation(NamedTuple):
    """A session that was announced, before it begins and after. until: the tick to which it is kept; 0: none.

    note: what the dialogue that reads it is told. remote: who may open it, or did; None: anyone may. media,
    patience_s: as in Found. heard: the tick at which its session last had packets, as far as is known.
    """

    transport: str
    internal: Endpoint
    external: Endpoint
    ends_with_control: bool
    until: int
    note: object
    remote: IPv4Address | None = None
    media: bool = False
    patience_s: int = 0
    heard: int = 0


class Announced:
    """What one control session announced. host: the internal one. remote: the host at its other end.

    caller: the one of both that began the session.

    helper: the number of its helper.
    """

    __slots__ = (
        "by_external",
        "by_internal",
        "caller",
        "data",
        "full_at",
        "helper",
        "host",
        "media",
        "names",
        "remote",
        "until",
        "waiting",
    )

    def __init__(self, session: Session, helper: int) -> None:
        self.host = session.internal[0]
        self.remote = session.remote[0]
        self.caller = caller_of(session)
        self.helper = helper
        self.waiting: dict[Name, Expectation] = {}
        """Expectations, the oldest first."""
        self.data: dict[Name, Expectation] = {}
        """Live data sessions that began by an expectation."""
        self.names: dict[tuple[str, int], list[Name]] = {}
        """Both, by transport and internal port, the oldest first."""
        self.by_internal: dict[tuple[str, int], Endpoint] = {}
        """External endpoints, by transport and internal port."""
        self.media: dict[tuple[str, int], Expectation] = {}
        """The newest expectation of media that are not over, by transport and internal port."""
        self.by_external: dict[Owned, Endpoint] = {}
        """Internal endpoints, by transport and external endpoint."""
        self.full_at = -1
        """The tick at which no room was left and all sessions were looked up."""
        self.until = 0
        """The tick to which the control session is kept; 0: its timer alone counts."""

    def remember(self, transport: str, internal: Endpoint, external: Endpoint) -> list[Owned]:
        """Store that `internal` was announced as `external`.

        Returns the external endpoints that are forgotten for it: those of the oldest announcement that does
        not stand any more. An exchange has more calls on one session than MOST_REMEMBERED.
        """
        forgotten = []
        known = self.by_internal.pop((transport, internal[1]), None)
        if known is not None and known != external:
            forgotten.append(owned(transport, known))
        while len(self.by_internal) - len(self.names) >= MOST_REMEMBERED:
            oldest = next(each for each in self.by_internal if each not in self.names)
            forgotten.append(owned(oldest[0], self.by_internal.pop(oldest)))
            self.media.pop(oldest, None)
        for each in forgotten:
            self.by_external.pop(each, None)
        self.by_internal[transport, internal[1]] = external
        self.by_external[owned(transport, external)] = internal
        return forgotten

    def original(self, transport: str, address: IPv4Address, port: int) -> Endpoint | None:
        """The internal endpoint that was announced as this external one. transport: "" is any."""
        transports = (transport,) if transport else ("tcp", "udp", "gre")
        found = (self.by_external.get(owned(each, (address, port))) for each in transports)
        return next((each for each in found if each is not None), None)

    def note(self, name: Name, expectation: Expectation) -> None:
        """Store an expectation."""
        endpoint = expectation.transport, expectation.internal[1]
        self.waiting[name] = expectation
        self.names.setdefault(endpoint, []).append(name)
        if expectation.media:
            self.media[endpoint] = expectation

    def forget(self, name: Name) -> None:
        """Forget an expectation, or a session that began by one. Harmless when it is unknown."""
        known = self.waiting.pop(name, None) or self.data.pop(name, None)
        if known is None:
            return
        endpoint = known.transport, known.internal[1]
        names = self.names[endpoint]
        names.remove(name)
        if not names:
            del self.names[endpoint]

    def newest(self, transport: str, port: int) -> Expectation | None:
        """The last expectation of this transport and internal port, whether its session has begun or not."""
        names = self.names.get((transport, port), ())
        for known in (self.waiting, self.data):
            for name in reversed(names):
                if name in known:
                    return known[name]
        return None

    def expired(self, transport: str, port: int) -> Expectation | None:
        """The last expectation of media that are not over, although it waits no more."""
        return self.media.get((transport, port))

    def forget_media(self, over: Iterable[tuple[str, int]]) -> None:
        """Media are over at these transports and internal ports."""
        for endpoint in over:
            self.media.pop(endpoint, None)

    def let_live(self) -> None:
        """Let the live sessions live by their own timers."""
        for name, each in self.data.items():
            self.data[name] = each._replace(ends_with_control=False, until=0)

    @property
    def ends_data(self) -> bool:
        """Is there a data session that ends with the control session?"""
        return any(each.ends_with_control for each in self.data.values())

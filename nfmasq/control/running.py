"""A running daemon as the control API, the metrics and the page see it.

The daemon hands out its parts; `Running` names them. A change made through a
part is in force when its call returns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Protocol

from nfmasq._fastpath import Table
from nfmasq.config import ConfigError
from nfmasq.core.worker import Worker
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.runtime import forwards, helpers


@dataclass(frozen=True)
class UplinkState:
    """An external interface. addresses: those that internal hosts appear as. state: one of UPLINK_STATES."""

    name: str
    addresses: tuple[IPv4Address, ...]
    state: str


UPLINK_STATES = ("ok", "down", "no address", "away")
"""down: the link is off or has no carrier. away: no interface has this name."""


@dataclass(frozen=True)
class Situation:
    """The daemon's surroundings at one moment; made anew for each question.

    internal_networks: translated. untranslated_networks: inside as well, and not translated.
    guard_drops: packets the guard dropped, by reason, when it was last read.
    """

    uplinks: tuple[UplinkState, ...]
    internal_interfaces: tuple[str, ...]
    internal_networks: tuple[IPv4Network, ...]
    diversion: str
    untranslated_networks: tuple[IPv4Network, ...] = ()
    rules_in_place: bool = True
    rules_reinstalled: int = 0
    address_changes: int = 0
    reload_successful: bool = True
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    guard_drops: Mapping[str, int] = field(default_factory=dict)

    @property
    def external_interface(self) -> str:
        """The first uplink's name."""
        return self.uplinks[0].name

    @property
    def external_addresses(self) -> tuple[IPv4Address, ...]:
        """The addresses that internal hosts appear as, of all uplinks."""
        return tuple(address for uplink in self.uplinks for address in uplink.addresses)


@dataclass(frozen=True)
class ReloadOutcome:
    """The result of a reload. With errors the old configuration is still in force."""

    errors: tuple[ConfigError, ...] = ()
    warnings: tuple[str, ...] = ()


class Forwards(Protocol):
    """The forwards in force."""

    @property
    def entries(self) -> Sequence[forwards.Entry]:
        """All of them, each with its source."""

    async def add(self, table: dict[str, Any], persist: bool) -> forwards.Entry:
        """Add a forward. Raises ConfigInvalid when it is wrong or clashes, ForwardRefused."""

    async def remove(self, identity: str) -> forwards.Entry:
        """End a forward that was added. Raises NoSuchForward and ForwardRefused."""


class Helpers(Protocol):
    """The helpers that could be loaded."""

    @property
    def entries(self) -> Mapping[str, helpers.Entry]:
        """All of them, by name."""

    def counters(self) -> Mapping[str, HelperCounters]:
        """The counters of each, by name."""

    def expectations(self) -> int:
        """How many expectations wait for their session."""

    async def set_enabled(self, name: str, enabled: bool, network: IPv4Network | None) -> helpers.Entry:
        """Enable or disable a helper for one network's hosts, or all. Raises NoSuchHelper, HelperRefused."""


class Running(Protocol):
    """A running daemon."""

    @property
    def table(self) -> Table: ...
    @property
    def workers(self) -> Sequence[Worker]: ...
    @property
    def forwards(self) -> Forwards: ...
    @property
    def helpers(self) -> Helpers: ...
    @property
    def started(self) -> float:
        """When it started, seconds of the epoch, for people to read."""

    @property
    def uptime_s(self) -> int:
        """Seconds since the start, by the monotonic clock."""

    def situation(self) -> Situation: ...
    async def count_guard_drops(self) -> None:
        """Read what the guard has dropped, for the next situation."""

    async def reload(self) -> ReloadOutcome:
        """Read the configuration again, and adopt it when it is good."""

"""The shapes of the control API's answers, and what it asks of the daemon behind it.

Every top-level object carries "schema": 1. An endpoint is a string "address:port", for ICMP queries
"address:id". Durations are seconds, times RFC 3339 UTC, counters integers.
"""

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Protocol, TypedDict

from nfmasq._fastpath import Table
from nfmasq.config import ConfigError
from nfmasq.core.worker import Worker
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.runtime.forwards import Entry
from nfmasq.runtime.helpers import Entry as HelperEntry

SCHEMA = 1


class Session(TypedDict):
    """One session, both endpoints of the internal host and the remote one it talks to."""

    protocol: str
    internal: str
    external: str
    remote: str
    state: str
    helper: str | None
    packets_out: int
    packets_in: int
    bytes_out: int
    bytes_in: int
    age_s: int
    expires_s: int


class Mapping(TypedDict):
    """One mapping: an internal endpoint and the external endpoint it appears as."""

    protocol: str
    internal: str
    external: str
    sessions: int
    age_s: int


class Host(TypedDict):
    """One internal host with a mapping."""

    host: str
    sessions: int
    mappings: int


class Forward(TypedDict):
    """One forward: the keys of its table, None meaning all; its id; and "config", "runtime" or "kept".

    sessions: those that use the external endpoints of the forward now; None where they cannot be told from
    others, or would take long to count.
    """

    id: str
    source: str
    protocol: str
    external_address: str | None
    external_port: str | None
    to: list[str]
    sessions: int | None


class HelperNetwork(TypedDict):
    """A network for whose hosts a helper is otherwise."""

    cidr: str
    enabled: bool


class Helper(TypedDict):
    """One helper. enabled: outside its networks, of which the first one counts: the narrowest.

    sessions: those it reads now. messages: seen, rewritten, refused, error. refused: by reason.
    seconds: spent so far.
    """

    name: str
    about: str
    enabled: bool
    networks: list[HelperNetwork]
    transport: str
    ports: list[int]
    options: dict[str, str]
    sessions: int
    messages: dict[str, int]
    refused: dict[str, int]
    seconds: float


class Drop(TypedDict):
    """One reason a packet can be dropped for, and how many were."""

    reason: str
    count: int
    sentence: str


class Ports(TypedDict):
    """External ports of one protocol, over all external addresses."""

    in_use: int
    capacity: int


class QueueStatus(TypedDict):
    """The queues of one worker, from `queue` to `last`: its counters and the kernel's (waiting, dropped)."""

    queue: int
    last: int
    packets: int
    batches: int
    lost: int
    overruns: int
    refused: int
    waiting: int
    dropped: int


class Rules(TypedDict):
    """The diversion's rules: are they in force, how often had they to be put back."""

    in_place: bool
    restored: int


class Status(TypedDict):
    """The daemon at one moment.

    sessions, mappings, ports: by protocol; packets, bytes: by direction and protocol.
    """

    schema: int
    version: str
    pid: int
    started: str
    uptime_s: int
    state: str
    reasons: list[str]
    warnings: list[str]
    external_interface: str
    external_addresses: list[str]
    address_changes: int
    internal_interfaces: list[str]
    internal_networks: list[str]
    diversion: str
    rules: Rules
    sessions: dict[str, int]
    mappings: dict[str, int]
    ports: dict[str, Ports]
    packets: dict[str, dict[str, int]]
    bytes: dict[str, dict[str, int]]
    dropped: int
    queues: list[QueueStatus]
    recovered_sessions: int
    memory_bytes: int


@dataclass(frozen=True)
class Situation:
    """What the daemon knows of its surroundings at one moment; made anew for each question."""

    external_interface: str
    external_addresses: tuple[IPv4Address, ...]
    internal_interfaces: tuple[str, ...]
    internal_networks: tuple[IPv4Network, ...]
    diversion: str
    rules_in_place: bool = True
    rules_restored: int = 0
    address_changes: int = 0
    reload_successful: bool = True
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReloadOutcome:
    """What became of a reload: with errors the old configuration is still in force."""

    errors: tuple[ConfigError, ...] = ()
    warnings: tuple[str, ...] = ()


class Running(Protocol):
    """What the control API, the metrics and the page may ask of a running daemon."""

    @property
    def table(self) -> Table: ...
    @property
    def workers(self) -> Sequence[Worker]: ...
    @property
    def started(self) -> float:
        """When it started, seconds of the epoch, for people to read."""

    @property
    def uptime_s(self) -> int:
        """Seconds since the start, by the monotonic clock."""

    def situation(self) -> Situation: ...
    async def reload(self) -> ReloadOutcome:
        """Read the configuration again; take it over when it is good."""

    def forwards(self) -> Sequence[Entry]: ...
    async def add_forward(self, table: dict[str, Any], persist: bool) -> Entry:
        """Add a forward. Raises ConfigInvalid when it is wrong or clashes, ForwardRefused."""

    async def remove_forward(self, identity: str) -> Entry:
        """End a forward that was added. Raises NoSuchForward and ForwardRefused."""

    def helpers(self) -> MappingOf[str, HelperEntry]:
        """Every helper that could be loaded, by its name."""

    def helper_counters(self) -> MappingOf[str, HelperCounters]:
        """What each has counted, by its name."""

    def expectations(self) -> int:
        """How many sessions that helpers announced nobody has come to yet."""

    async def turn_helper(self, name: str, enabled: bool, network: IPv4Network | None) -> HelperEntry:
        """Switch a helper for one network's hosts, or all. Raises NoSuchHelper and HelperRefused."""

"""The shapes of the control API's answers that belong to no list.

Every top-level object carries "schema": 1. An endpoint is a string "address:port", for ICMP queries
"address:id", for calls of PPTP "address:key". Durations are seconds, times RFC 3339 UTC, counters integers.
"""

from typing import NotRequired, TypedDict

SCHEMA = 1


class WrongKey(TypedDict):
    """An error of a configuration or a table: the key it is at, and the reason."""

    key: str
    reason: str


class Failure(TypedDict):
    """The answer to a request that fails. errors: each error by its key, where there are keys."""

    schema: int
    error: str
    errors: NotRequired[list[WrongKey]]


class Flush(TypedDict, total=False):
    """What a flush ends: the sessions of one internal host, or all of them. One key alone."""

    host: str
    all: bool


class Flushed(TypedDict):
    """How many sessions a flush ended."""

    schema: int
    flushed: int


class Reloaded(TypedDict):
    """The result of a reload. With errors the old configuration is still in force."""

    schema: int
    reloaded: bool
    errors: list[WrongKey]
    warnings: list[str]


class Ports(TypedDict):
    """External ports of one protocol, over all external addresses."""

    in_use: int
    capacity: int


class QueueStatus(TypedDict):
    """The queues of one worker, from `queue` to `last`: its counters and the kernel's (waiting, dropped).

    rejected: verdicts the kernel answered with an error; `refused` is its older name.
    """

    queue: int
    last: int
    packets: int
    batches: int
    lost: int
    overruns: int
    rejected: int
    refused: int
    waiting: int
    dropped: int


class Rules(TypedDict):
    """The diversion's rules: are they in force, how often were they reinstalled.

    `restored` is the older name of `reinstalled`.
    """

    in_place: bool
    reinstalled: int
    restored: int


class UplinkStatus(TypedDict):
    """An external interface. addresses: those internal hosts appear as. state: ok, down, no address, away."""

    name: str
    addresses: list[str]
    state: str


class Status(TypedDict):
    """The daemon at one moment.

    sessions, mappings, ports: by protocol; packets, bytes: by direction and protocol.
    problems: why the state is "degraded"; `reasons` is its older name.
    """

    schema: int
    version: str
    pid: int
    started: str
    uptime_s: int
    state: str
    problems: list[str]
    reasons: list[str]
    warnings: list[str]
    external_interface: str
    external_addresses: list[str]
    address_changes: int
    internal_interfaces: list[str]
    internal_networks: list[str]
    untranslated_networks: list[str]
    uplinks: list[UplinkStatus]
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

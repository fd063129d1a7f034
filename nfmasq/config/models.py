"""The tables of the configuration file: their keys, kinds of value and defaults.

Frozen: a daemon reloads by making another Config and never by changing one. A key that is missing in the file
has its default; `model_fields_set` tells which were written. `examples` are shown when a key that must be
there is not.
"""

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from nfmasq.config.addresses import (
    LAST_PORT,
    PortRange,
    Target,
    host_address,
    interface,
    listen,
    network,
    pool,
    port_range,
    target,
)
from nfmasq.config.protocols import ANY, protocol
from nfmasq.config.values import (
    count_or_auto,
    described,
    duration,
    flag,
    path,
    segment_size,
    socket_path,
    whole,
    word,
)
from nfmasq.core.queue_socket import QUEUES_EACH

# What the compiled core can hold.
MOST_SESSIONS = (1 << 26) - 1
MOST_ADDRESSES = 256
MOST_NETWORKS = 256

MOST_EXEMPT = 64
"""Destinations without translation: each is a rule of its own where iptables lays them."""

MOST_QUEUES = 64
LAST_QUEUE = 65535

MappingWord = Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]
FilteringWord = Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]
DiversionWord = Literal["auto", "nftables", "iptables", "none"]
OnFailureWord = Literal["closed"]

Flag = Annotated[bool, PlainValidator(flag)]
Mapping = Annotated[MappingWord, PlainValidator(word(*get_args(MappingWord)))]
Filtering = Annotated[FilteringWord, PlainValidator(word(*get_args(FilteringWord)))]
Protocol = Annotated[str, PlainValidator(protocol)]
Address = Annotated[IPv4Address, PlainValidator(host_address)]
SegmentSize = Annotated[int | None, PlainValidator(segment_size)]
Interface = Annotated[str, PlainValidator(interface)]
Ports = Annotated[PortRange, PlainValidator(port_range)]
Port = Annotated[int, PlainValidator(whole(1, LAST_PORT))]
Limit = Annotated[int, PlainValidator(whole(0, MOST_SESSIONS))]
Seconds = Annotated[int, PlainValidator(duration)]
Cidr = Annotated[IPv4Network, PlainValidator(network)]
Pool = Annotated[IPv4Network, PlainValidator(pool)]
To = Annotated[Target, PlainValidator(target)]
Listen = Annotated[tuple[str, int] | None, PlainValidator(listen)]
SocketPath = Annotated[Path, PlainValidator(socket_path)]
FilePath = Annotated[Path, PlainValidator(path)]
Sessions = Annotated[int, PlainValidator(whole(1, MOST_SESSIONS))]
Queues = Annotated[int | None, PlainValidator(count_or_auto(1, MOST_QUEUES))]
FirstQueue = Annotated[int, PlainValidator(whole(0, LAST_QUEUE))]
Diversion = Annotated[DiversionWord, PlainValidator(word(*get_args(DiversionWord)))]
OnFailure = Annotated[OnFailureWord, PlainValidator(word(*get_args(OnFailureWord)))]


def _one_or_several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _switch_or_table(value: Any) -> Any:
    if isinstance(value, bool):
        return {"enabled": value}
    if not isinstance(value, (dict, HelperConfig)):
        kinds = "true, false or a table such as { enabled = true, ports = [6667] }"
        raise ValueError(f"must be {kinds}, not {described(value)}")
    return value


class Table(BaseModel):
    """One table of the file. A key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Behaviour(Table):
    """What one protocol or one network has otherwise than [nat] says; None: as there."""

    mapping: Mapping | None = None
    filtering: Filtering | None = None


class Network(Behaviour):
    """[[network]]: what is otherwise for internal hosts in `cidr`. helpers: by name, on or off."""

    cidr: Cidr = Field(examples=['"192.168.1.0/24"'])
    helpers: dict[str, Flag] = {}


class Nat(Table):
    """[nat]: which side is which, and how mappings behave (RFC 4787, RFC 5382).

    exempt: destinations that are not translated (RFC 6888 REQ-6). mss: None: what fits.
    """

    internal: list[Interface] = Field(min_length=1, examples=['["lan0"]'])
    external: Interface = Field(examples=['"wan0"'])
    addresses: list[Pool] = []
    exempt: list[Pool] = Field(default=[], alias="except")
    ports: Ports = PortRange(1024, 32767)
    mapping: Mapping = "endpoint-independent"
    filtering: Filtering = "address-dependent"
    hairpinning: Flag = True
    mss: SegmentSize = None
    refusals: Flag = True
    udp: Behaviour | None = None
    tcp: Behaviour | None = None


class Limits(Table):
    """[limits]: the most of each; 0: no limit of its own."""

    sessions: Sessions = 1_000_000
    half_open: Limit = 0
    new_per_second: Limit = 0
    sessions_per_host: Limit = 0
    ports_per_host: Limit = 0
    half_open_per_host: Limit = 0
    new_per_second_per_host: Limit = 0


class Timeouts(Table):
    """[timeouts]: idle seconds after which a session ends. tcp_opening, tcp_closing: None: tcp_transitory."""

    udp: Seconds = 5 * 60
    tcp_established: Seconds = 2 * 3600 + 4 * 60
    tcp_transitory: Seconds = 4 * 60
    tcp_opening: Seconds | None = None
    tcp_closing: Seconds | None = None
    icmp: Seconds = 60
    expectation: Seconds = 60


class HelperConfig(Table):
    """One entry of [helpers]. ports: none means the helper's own. Other keys are options it declares."""

    model_config = ConfigDict(frozen=True, extra="allow")

    enabled: Flag = Field(examples=["true"])
    ports: list[Port] = []

    @property
    def options(self) -> dict[str, Any]:
        """What is written beside the two, as TOML gave it."""
        return self.model_extra or {}


class Forward(Table):
    """[[forward]]: external endpoints that lead to internal hosts, which share them when there are several.

    A target with one port takes all the external ports; one with as many takes them one by one; one without
    leaves each port what it is. external_port, external_address: None: all.
    """

    protocol: Protocol = ANY
    external_port: Ports | None = None
    external_address: Address | None = None
    to: Annotated[list[To], BeforeValidator(_one_or_several)] = Field(
        min_length=1, examples=['"192.168.1.10:80"']
    )

    @property
    def id(self) -> str:
        """Its short name, made of what it claims outside: no two forwards that may be together share it."""
        parts = (self.external_address, self.protocol, self.external_port)
        return "-".join(str(part) for part in parts if part is not None)

    def written(self) -> dict[str, Any]:
        """The table that gives this forward again; of plain values."""
        keys = {"external_port": self.external_port, "external_address": self.external_address}
        given = {key: str(value) for key, value in keys.items() if value is not None}
        return {"protocol": self.protocol, **given, "to": [str(target) for target in self.to]}


class Metrics(Table):
    """[metrics]: (host, port) of the metrics and the status page, or None: nowhere."""

    listen: Listen = ("127.0.0.1", 9853)


class Control(Table):
    """[control]: where the control API is."""

    socket: SocketPath = Path("/run/nfmasq/control.sock")


class Engine(Table):
    """[engine]: the workers, their queues, the files of sessions and of kept forwards, the rules."""

    chosen_queues: Queues = Field(default=None, alias="queues")
    first_queue: FirstQueue = 100
    state: FilePath = Path("/run/nfmasq/state")
    forwards: FilePath = Path("/var/lib/nfmasq/forwards.json")
    diversion: Diversion = "auto"
    on_failure: OnFailure = "closed"

    @property
    def queues(self) -> int:
        """How many workers: as written, or for "auto" one for every two processors this process may use.

        The kernel's own share of a packet is larger than the worker's, and needs a processor as well.
        """
        return self.chosen_queues or min(max(1, len(os.sched_getaffinity(0)) // 2), MOST_QUEUES)

    @property
    def diverted_to(self) -> tuple[int, int]:
        """The first netfilter queue of the rules, and how many. One more follows, which no rule names."""
        return self.first_queue, self.queues * QUEUES_EACH


class Config(Table):
    """A whole configuration file."""

    nat: Nat
    network: list[Network] = []
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    helpers: dict[str, Annotated[HelperConfig, BeforeValidator(_switch_or_table)]] = {}
    forward: list[Forward] = []
    metrics: Metrics = Metrics()
    control: Control = Control()
    engine: Engine = Engine()

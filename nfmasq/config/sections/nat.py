"""[nat] and [[network]]: which side is which, and how mappings behave (RFC 4787, RFC 5382)."""

from collections.abc import Mapping as Table_
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PlainValidator

from nfmasq.config.addresses import PortRange, interface, low_port_ranges, pool
from nfmasq.config.sections.table import Cidr, Flag, PortRanges, Table
from nfmasq.config.values import mark_bit, segment_size, word

MOST_EXEMPT = 64
"""Destinations without translation: each is a rule of its own where iptables lays them."""

DEFAULT_PORTS = (PortRange(1024, 32767),)
DEFAULT_LOW_PORTS = (PortRange(600, 1023),)
DEFAULT_MARK = 0x80000000

MappingWord = Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]
FilteringWord = Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]

Mapping = Annotated[MappingWord, PlainValidator(word(*get_args(MappingWord)))]
Filtering = Annotated[FilteringWord, PlainValidator(word(*get_args(FilteringWord)))]
Interface = Annotated[str, PlainValidator(interface)]
Pool = Annotated[IPv4Network, PlainValidator(pool)]
SegmentSize = Annotated[int | None, PlainValidator(segment_size)]
LowPorts = Annotated[tuple[PortRange, ...] | None, PlainValidator(low_port_ranges)]
Mark = Annotated[int, PlainValidator(mark_bit)]

FIRST = ""
"""Key of `written_addresses` for a list of addresses, which is of the first external interface."""


def _one_or_several(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _by_interface(value: Any) -> Any:
    return {FIRST: value} if not isinstance(value, dict) else value


class Behaviour(Table):
    """The behaviour of one protocol or one network where it departs from [nat]; None: as there."""

    mapping: Mapping | None = None
    filtering: Filtering | None = None


class Network(Behaviour):
    """[[network]]: what differs for internal hosts in `cidr`.

    helpers: by name, enabled or not. translate: None: private addresses are translated, public ones are not.
    """

    cidr: Cidr = Field(examples=['"192.168.1.0/24"'])
    helpers: dict[str, Flag] = Field(default={})
    translate: Flag | None = None


class Nat(Table):
    """[nat]: the two sides, and the behaviour of all mappings.

    external: the uplinks, the first one is shown where there is room for one. exempt: destinations that are
    not translated (RFC 6888 REQ-6). mss: None: what fits. mark: the bit of hairpinned packets.
    share_ports: while no port is free, a new session may have one in use, with another remote endpoint.
    """

    internal: list[Interface] = Field(min_length=1, examples=['["lan0"]'])
    external: Annotated[list[Interface], BeforeValidator(_one_or_several)] = Field(
        min_length=1, examples=['"wan0"']
    )
    written_addresses: Annotated[dict[str, list[Pool]], BeforeValidator(_by_interface)] = Field(
        default={}, alias="addresses"
    )
    exempt: list[Pool] = Field(default=[], alias="except")
    ports: PortRanges = DEFAULT_PORTS
    written_low_ports: LowPorts = Field(default=None, alias="low_ports")
    mapping: Mapping = "endpoint-independent"
    filtering: Filtering = "address-dependent"
    hairpinning: Flag = True
    mark: Mark = DEFAULT_MARK
    mss: SegmentSize = None
    refusals: Flag = True
    share_ports: Flag = True
    unguarded: list[Interface] = Field(default=[])
    udp: Behaviour | None = None
    tcp: Behaviour | None = None

    @property
    def pools(self) -> Table_[str, list[IPv4Network]]:
        """The configured external addresses by uplink; an uplink that is not there has its own."""
        return {name or self.external[0]: pools for name, pools in self.written_addresses.items() if pools}

    @property
    def addresses(self) -> list[IPv4Network]:
        """The configured external addresses of all uplinks."""
        return [addresses for pools in self.pools.values() for addresses in pools]

    @property
    def low_ports(self) -> tuple[PortRange, ...]:
        """For clients with a port below 1024 (RFC 4787 REQ-3a).

        As written; else the default ones, but only beside the default ports.
        """
        if self.written_low_ports is not None:
            return self.written_low_ports
        return DEFAULT_LOW_PORTS if self.ports == DEFAULT_PORTS else ()

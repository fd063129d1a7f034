"""[nat] and [[network]]: which side is which, and how mappings behave (RFC 4787, RFC 5382)."""

from ipaddress import IPv4Network
from typing import Annotated, Literal, get_args

from pydantic import Field, PlainValidator

from nfmasq.config.addresses import PortRange, interface, pool
from nfmasq.config.sections.table import Cidr, Flag, Ports, Table
from nfmasq.config.values import segment_size, word

MOST_EXEMPT = 64
"""Destinations without translation: each is a rule of its own where iptables lays them."""

MappingWord = Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]
FilteringWord = Literal["endpoint-independent", "address-dependent", "address-and-port-dependent"]

Mapping = Annotated[MappingWord, PlainValidator(word(*get_args(MappingWord)))]
Filtering = Annotated[FilteringWord, PlainValidator(word(*get_args(FilteringWord)))]
Interface = Annotated[str, PlainValidator(interface)]
Pool = Annotated[IPv4Network, PlainValidator(pool)]
SegmentSize = Annotated[int | None, PlainValidator(segment_size)]


class Behaviour(Table):
    """The behaviour of one protocol or one network where it departs from [nat]; None: as there."""

    mapping: Mapping | None = None
    filtering: Filtering | None = None


class Network(Behaviour):
    """[[network]]: what differs for internal hosts in `cidr`. helpers: by name, enabled or not."""

    cidr: Cidr = Field(examples=['"192.168.1.0/24"'])
    helpers: dict[str, Flag] = Field(default={})


class Nat(Table):
    """[nat]: the two sides, and the behaviour of all mappings.

    exempt: destinations that are not translated (RFC 6888 REQ-6). mss: None: what fits.
    """

    internal: list[Interface] = Field(min_length=1, examples=['["lan0"]'])
    external: Interface = Field(examples=['"wan0"'])
    addresses: list[Pool] = Field(default=[])
    exempt: list[Pool] = Field(default=[], alias="except")
    ports: Ports = PortRange(1024, 32767)
    mapping: Mapping = "endpoint-independent"
    filtering: Filtering = "address-dependent"
    hairpinning: Flag = True
    mss: SegmentSize = None
    refusals: Flag = True
    udp: Behaviour | None = None
    tcp: Behaviour | None = None

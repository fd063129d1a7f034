"""The policy: all that the core must know of the configuration, as plain data.

The daemon makes a Policy out of the config file and of what the uplink is now, and hands it to
`Table.configure`, which takes it over between two batches of packets. Nothing here is per packet.
"""

from dataclasses import asdict, dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network
from itertools import chain

TRANSPORTS = ("tcp", "udp", "icmp", "other")
"""The protocol classes of nfmasq, in the order of their numbers in the core and in metrics."""

ANY_PROTOCOL = 0
ALL_PORTS = (0, 65535)


class Mapping(IntEnum):
    """Which sessions of an internal endpoint share an external one (RFC 4787 section 4.1)."""

    ENDPOINT_INDEPENDENT = 0
    ADDRESS_DEPENDENT = 1
    ADDRESS_AND_PORT_DEPENDENT = 2


class Filtering(IntEnum):
    """Which outside packets an existing mapping lets in (RFC 4787 section 5)."""

    ENDPOINT_INDEPENDENT = 0
    ADDRESS_DEPENDENT = 1
    ADDRESS_AND_PORT_DEPENDENT = 2


@dataclass(frozen=True)
class Behaviour:
    """How the sessions of one protocol are mapped and filtered."""

    mapping: Mapping = Mapping.ENDPOINT_INDEPENDENT
    filtering: Filtering = Filtering.ADDRESS_DEPENDENT


@dataclass(frozen=True)
class NetworkBehaviour:
    """The behaviour for one network's hosts. udp: of ICMP queries and portless protocols too."""

    network: IPv4Network
    tcp: Behaviour = Behaviour()
    udp: Behaviour = Behaviour()


EVERYWHERE = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True)
class ForwardTarget:
    """An internal host a forward leads to. ports: first and last, or None: each port stays what it is."""

    address: IPv4Address
    ports: tuple[int, int] | None = None


@dataclass(frozen=True)
class Forward:
    """External endpoints that lead to internal hosts without having been used from inside first.

    protocol: IP protocol number, or ANY_PROTOCOL. external: one external address, or None for all of them.
    ports: first and last, or ALL_PORTS; of no meaning to protocols without ports.
    targets: several share the sessions (RFC 2391). A target's ports are one, which takes all, or as many as
    the forward's, which are taken one by one.
    """

    protocol: int
    external: IPv4Address | None
    ports: tuple[int, int]
    targets: tuple[ForwardTarget, ...]


@dataclass(frozen=True)
class HelperPort:
    """Which new sessions a helper gets: outbound to this remote port, forwarded to this internal port.

    helper: its number, 1 to 31. protocol: 6 or 17. networks: only of internal hosts in them; none: of all.
    """

    helper: int
    protocol: int
    port: int
    networks: tuple[IPv4Network, ...] = ()


@dataclass(frozen=True)
class Own:
    """Packets of a protocol without ports that the router itself takes: a tunnel's, or a raw socket's.

    remote: the address they come from, or None: from anywhere.
    """

    protocol: int
    remote: IPv4Address | None = None


@dataclass(frozen=True)
class Timeouts:
    """Idle seconds after which a session ends (RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2).

    udp_dns: of a UDP session with port 53 (RFC 4787 REQ-5a).
    tcp_opening: of a TCP session whose handshake is not over (RFC 7857 section 2.1). tcp_closing: of one that
    was closed or reset. None: as tcp_transitory.
    The core copies all fields by their names into its struct of this name (`_hot/state/rules.pxd`).
    """

    udp: int = 300
    udp_dns: int = 20
    tcp_established: int = 7440
    tcp_transitory: int = 240
    icmp: int = 60
    other: int = 300
    tcp_opening: int | None = None
    tcp_closing: int | None = None

    def seconds(self) -> dict[str, int]:
        """Every timeout by its name; tcp_transitory in place of None."""
        return {name: self.tcp_transitory if value is None else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Limits:
    """The most of each; 0: no limit. Of sessions_per_host and ports_per_host, 0: a share of what is free.

    half_open: TCP sessions whose handshake is not over. new_per_second: sessions begun within one second.
    The core copies all fields by their names into its struct of this name (`_hot/state/rules.pxd`).
    """

    sessions: int = 1_000_000
    half_open: int = 0
    new_per_second: int = 0
    sessions_per_host: int = 0
    ports_per_host: int = 0
    half_open_per_host: int = 0
    new_per_second_per_host: int = 0


@dataclass(frozen=True)
class Source:
    """What goes to `network` by an uplink appears as `address`, as a route of the kernel says."""

    network: IPv4Network
    address: IPv4Address


@dataclass(frozen=True)
class Uplink:
    """An external interface. index: the kernel's number of the interface, 0 while it is away.

    addresses: the router's own addresses there. A forward may name any of them.
    pooled: those that internal hosts appear as.
    sources: longest prefix first; the last one is for everywhere. (): any of `pooled`, one for each host.
    mss: the largest TCP MSS let through by this uplink, or 0: any (RFC 4459 section 3.2).
    """

    index: int
    addresses: tuple[IPv4Address, ...]
    pooled: tuple[IPv4Address, ...]
    sources: tuple[Source, ...] = ()
    mss: int = 0

    @classmethod
    def pool(cls, *addresses: IPv4Address, index: int = 0, mss: int = 0) -> "Uplink":
        """An uplink that hands out all of its addresses."""
        return cls(index, addresses, addresses, mss=mss)


@dataclass(frozen=True)
class Policy:
    """The rules the core decides by.

    uplinks: the external interfaces. Two may have the same address: sessions go by either. Addresses that a
        forward gives to one host whole (any protocol, all ports) are not handed out to others.
    internal: the networks behind the router; a source outside them is spoofed.
    ports:    the ranges of external ports handed out, first and last of each included.
    low_ports: ranges handed out as well, to TCP and UDP ports below 1024 alone (RFC 4787 REQ-3a).
    behaviours: narrowest network first, the last one EVERYWHERE.
    forwards: most specific first; the first that fits a packet counts, but a default host's (all ports, not
        one to one) only where no mapping lets the packet in. External addresses they name are of an uplink.
    reserved_tcp, reserved_udp: ports of that range that a local socket uses: never handed out.
    hairpinning: whether packets from inside to an external address are hairpinned (RFC 4787 REQ-9).
    mark: the bit of the kernel's packet mark that tells the second pass of a hairpinned packet.
    own: what no default host gets, for the router itself takes it.
    others_lead: rules of others lead packets inside (DNAT): a default host of every external address gets
        what they leave, at a look behind them.
    refusals: answer a refused session by ICMP (RFC 5508 REQ-8, RFC 5382 REQ-4, RFC 6888 REQ-11).
    share_ports: while a pool has no free port, a new session may have one that is in use, with another remote
        endpoint, rather than be refused.
    """

    uplinks: tuple[Uplink, ...]
    internal: tuple[IPv4Network, ...]
    ports: tuple[tuple[int, int], ...] = ((1024, 32767),)
    low_ports: tuple[tuple[int, int], ...] = ()
    behaviours: tuple[NetworkBehaviour, ...] = (NetworkBehaviour(EVERYWHERE),)
    forwards: tuple[Forward, ...] = ()
    helper_ports: tuple[HelperPort, ...] = ()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    reserved_tcp: frozenset[int] = frozenset()
    reserved_udp: frozenset[int] = frozenset()
    hairpinning: bool = True
    mark: int = 1 << 31
    own: tuple[Own, ...] = ()
    others_lead: bool = False
    refusals: bool = True
    share_ports: bool = True

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """The addresses of all uplinks, each once."""
        found = ((*uplink.pooled, *uplink.addresses) for uplink in self.uplinks)
        return tuple(dict.fromkeys(chain.from_iterable(found)))

"""From the configuration and what the machine is now to what the core decides by."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network

from nfmasq.config.models import Behaviour as Written
from nfmasq.config.models import Config, Nat
from nfmasq.policy import EVERYWHERE, Behaviour, Filtering, Mapping, NetworkBehaviour, Policy, Timeouts


def policy_of(
    config: Config,
    external: Sequence[IPv4Address],
    internal: Sequence[IPv4Network],
    reserved_tcp: frozenset[int],
    reserved_udp: frozenset[int],
) -> Policy:
    """The policy that `config` asks for, with the uplink's addresses and the ports that local sockets hold.

    external: the first is used for new mappings. internal: the networks behind the router.
    reserved_tcp, reserved_udp: ports never handed out.
    """
    timeouts = config.timeouts
    return Policy(
        external=tuple(external),
        internal=tuple(internal),
        ports=(config.nat.ports.first, config.nat.ports.last),
        behaviours=tuple(_behaviours(config)),
        timeouts=Timeouts(
            udp=timeouts.udp,
            tcp_established=timeouts.tcp_established,
            tcp_transitory=timeouts.tcp_transitory,
            icmp=timeouts.icmp,
        ),
        sessions=config.limits.sessions,
        sessions_per_host=config.limits.sessions_per_host,
        ports_per_host=config.limits.ports_per_host,
        reserved_tcp=reserved_tcp,
        reserved_udp=reserved_udp,
    )


def _behaviours(config: Config) -> Iterator[NetworkBehaviour]:
    """Narrowest network first, what [nat] says last. A [[network]] comes before [nat.tcp] and [nat.udp]."""
    nat = config.nat
    for network in sorted(config.network, key=lambda each: -each.cidr.prefixlen):
        yield NetworkBehaviour(
            network.cidr, tcp=_behaviour(network, nat.tcp, nat), udp=_behaviour(network, nat.udp, nat)
        )
    yield NetworkBehaviour(EVERYWHERE, tcp=_behaviour(nat.tcp, nat), udp=_behaviour(nat.udp, nat))


def _behaviour(*places: Written | Nat | None) -> Behaviour:
    """What is said at the first of the places that says it; [nat] says everything."""
    mapping = next(place.mapping for place in places if place and place.mapping)
    filtering = next(place.filtering for place in places if place and place.filtering)
    return Behaviour(Mapping[_name(mapping)], Filtering[_name(filtering)])


def _name(word: str) -> str:
    return word.upper().replace("-", "_")

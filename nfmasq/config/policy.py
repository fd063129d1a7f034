"""From the configuration and what the machine is now to what the core decides by."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from nfmasq.config.models import Behaviour, Config
from nfmasq.policy import Filtering, Policy, Timeouts


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
        filtering_tcp=_filtering(config, config.nat.tcp),
        filtering_udp=_filtering(config, config.nat.udp),
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


def _filtering(config: Config, protocol: Behaviour | None) -> Filtering:
    written = (protocol and protocol.filtering) or config.nat.filtering
    return Filtering[written.upper().replace("-", "_")]

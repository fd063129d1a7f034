"""The core's policy, made of the configuration and of what the machine is now."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import chain
from typing import Any

from nfmasq.config.addresses import PortRange, covered, joined
from nfmasq.config.models import Behaviour as Written
from nfmasq.config.models import Config, Nat, Table
from nfmasq.config.models import Forward as WrittenForward
from nfmasq.config.protocols import PROTOCOL_NUMBERS, numbers_of
from nfmasq.config.values import MOST_MSS
from nfmasq.core.policy import (
    ALL_PORTS,
    ANY_PROTOCOL,
    EVERYWHERE,
    Behaviour,
    Filtering,
    Forward,
    ForwardTarget,
    HelperPort,
    Limits,
    Mapping,
    NetworkBehaviour,
    Own,
    Policy,
    Timeouts,
    Uplink,
)
from nfmasq.machine.surroundings import Surroundings
from nfmasq.machine.uplinks import Outside

HEADERS = 40
"""Bytes of the IPv4 and TCP headers, which a segment size leaves out."""


def policy_of(
    config: Config,
    surroundings: Surroundings,
    reserved_tcp: frozenset[int],
    reserved_udp: frozenset[int],
    forwards: Iterable[Forward],
    *,
    helper_ports: tuple[HelperPort, ...] = (),
    own: tuple[Own, ...] = (),
    others_lead: bool = False,
) -> Policy:
    """The policy that `config` asks for, in these surroundings.

    reserved_tcp, reserved_udp: ports that local sockets hold. Those of forwards join them: none of them is
    handed out. forwards: those for an external address that is not there are left out. helper_ports: as
    the helpers are enabled now. own: what the router itself takes. others_lead: whether rules of
    others lead packets inside.
    """
    nat = config.nat
    there = {address for outside in surroundings.outsides for address in outside.addresses}
    in_force = sorted(
        (each for each in forwards if each.external is None or each.external in there),
        key=_most_specific_first,
    )
    return Policy(
        uplinks=tuple(_uplink(nat, outside) for outside in surroundings.outsides),
        internal=surroundings.internal,
        ports=_pairs(nat.ports),
        low_ports=_pairs(nat.low_ports),
        behaviours=tuple(_behaviours(config)),
        forwards=tuple(in_force),
        helper_ports=helper_ports,
        limits=Limits(**_fields_of(config.limits, Limits)),
        timeouts=Timeouts(**_fields_of(config.timeouts, Timeouts)),
        reserved_tcp=reserved_tcp.union(_forwarded(nat, in_force, PROTOCOL_NUMBERS["tcp"])),
        reserved_udp=reserved_udp.union(_forwarded(nat, in_force, PROTOCOL_NUMBERS["udp"])),
        hairpinning=nat.hairpinning,
        mark=nat.mark,
        own=own,
        others_lead=others_lead,
        refusals=nat.refusals,
        share_ports=nat.share_ports,
    )


def _pairs(ranges: Iterable[PortRange]) -> tuple[tuple[int, int], ...]:
    return tuple((first, last) for first, last in ranges)


def _uplink(nat: Nat, outside: Outside) -> Uplink:
    return Uplink(
        index=outside.index,
        addresses=outside.addresses,
        pooled=outside.pooled,
        sources=outside.sources,
        mss=_segment_size(nat, outside.mtu),
    )


def _fields_of(written: Table, kind: type[Limits | Timeouts]) -> dict[str, Any]:
    """The values of a table that the core's dataclass of this kind has too, by their names."""
    names = {field.name for field in fields(kind)} & type(written).model_fields.keys()
    return {name: getattr(written, name) for name in names}


def forwards_of(written: Iterable[WrittenForward]) -> Iterator[Forward]:
    """Forwards as the core reads them, one for each protocol."""
    for forward in written:
        targets = tuple(
            ForwardTarget(target.address, target.ports and (target.ports.first, target.ports.last))
            for target in forward.to
        )
        ports = forward.external_port
        for number in numbers_of(forward.protocol):
            yield Forward(
                number, forward.external_address, (ports.first, ports.last) if ports else ALL_PORTS, targets
            )


def _most_specific_first(forward: Forward) -> tuple[int, ...]:
    """The first three decide; the others make the order the same whatever was there before."""
    first, last = forward.ports
    address = int(forward.external) if forward.external else 0
    return (
        forward.external is None,
        last - first,
        forward.protocol == ANY_PROTOCOL,
        address,
        forward.protocol,
        first,
    )


def _forwarded(nat: Nat, forwards: Iterable[Forward], protocol: int) -> Iterator[int]:
    """The ports handed out that forwards of this protocol name."""
    named = (each.ports for each in forwards if each.protocol == protocol and each.ports != ALL_PORTS)
    return chain.from_iterable(
        range(first, last + 1) for first, last in covered(named, joined(nat.ports, nat.low_ports))
    )


def _segment_size(nat: Nat, mtu: int) -> int:
    """As written; else what a packet of the external interface's MTU has room for; 0 if that is not known."""
    return nat.mss if nat.mss is not None else min(max(0, mtu - HEADERS), MOST_MSS)


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

"""How forwards fit: each one's keys with one another, and all of them together.

Two forwards may claim the same packet when one is the more specific: it is for one external address, its
ports lie inside the other's, or it names its protocol. If neither is, that is an error. Works on tables as
they are written, so that the file's errors come all together, and so that a forward added while the daemon
runs is judged by the same code.
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any, NamedTuple

from nfmasq.config.addresses import PortRange, Target, host_address, port_range, target
from nfmasq.config.claims import ALL, Claim, crossing
from nfmasq.config.errors import quoted
from nfmasq.config.lenient import as_list, as_table, good, good_items
from nfmasq.config.protocols import ANY, BOTH, BY_PORT, numbers_of, protocol
from nfmasq.core.limits import MOST_FORWARD_TARGETS, MOST_FORWARDS


class Misfit(NamedTuple):
    """What does not fit. place: of the forward in its list, or None for all together; key: below it."""

    place: int | None
    key: tuple[str | int, ...]
    reason: str


class Written(NamedTuple):
    """One forward's table, as far as its values are good by themselves; `given` are the keys it has.

    to: each target with its place below the table.
    """

    place: int
    given: frozenset[str]
    protocol: str | None
    external: IPv4Address | None
    ports: PortRange | None
    to: tuple[tuple[tuple[str | int, ...], Target], ...]

    @property
    def claims(self) -> Iterator[Claim]:
        """What it claims; nothing if that is not known."""
        unknown = {"external_address": self.external, "external_port": self.ports}
        if self.protocol and not any(key in self.given and value is None for key, value in unknown.items()):
            for number in numbers_of(self.protocol):
                yield Claim(self.external, number, self.ports or ALL, self.place)

    @property
    def gives_an_address(self) -> bool:
        """Does it give a host an external address of its own, both ways?"""
        whole = self.protocol == ANY and "external_port" not in self.given
        return whole and self.external is not None and len(self.to) == 1


def misfits(
    tables: Sequence[Any], pool: Sequence[IPv4Network] = (), name: Callable[[int], str] = "forward[{}]".format
) -> Iterator[Misfit]:
    """Everything that does not fit in these forwards.

    pool: the external addresses, if they are known; name: what another forward is called in a reason.
    """
    written = [_written(place, as_table(table)) for place, table in enumerate(tables)]
    for forward in written:
        yield from _keys(forward)
        yield from _targets(forward)
        yield from _in_pool(forward, pool)
    yield from _clashes(written, name)
    yield from _external_targets(written, name)
    yield from _own_addresses(written, name)
    yield from _too_many(written)


def _written(place: int, table: dict[str, Any]) -> Written:
    to = table.get("to")
    alone = isinstance(to, str)
    return Written(
        place,
        frozenset(table),
        good(protocol, table.get("protocol", ANY)),
        good(host_address, table.get("external_address")),
        good(port_range, table.get("external_port")),
        tuple(
            (("to",) if alone else ("to", number), where)
            for number, where in good_items(target, [to] if alone else as_list(to))
        ),
    )


def _keys(forward: Written) -> Iterator[Misfit]:
    """Ports need a protocol that has them."""
    if "external_port" not in forward.given or forward.protocol in {None, *BY_PORT}:
        return
    choice = " or ".join(map(quoted, BY_PORT))
    if "protocol" not in forward.given:
        yield Misfit(forward.place, ("protocol",), f"is missing; external_port needs {choice}")
    elif forward.protocol == ANY:
        reason = f"{quoted(ANY)} has no ports; write {choice}, or leave external_port out"
        yield Misfit(forward.place, ("protocol",), reason)
    else:
        reason = f"{forward.protocol} is not forwarded by port; leave external_port out, or write {choice}"
        yield Misfit(forward.place, ("external_port",), reason)


def _targets(forward: Written) -> Iterator[Misfit]:
    """Ports of a target need external ones: one takes all, or there are as many."""
    seen: set[Target] = set()
    for key, where in forward.to:
        if where in seen:
            yield Misfit(forward.place, key, f"{where} is there twice")
        seen.add(where)
        if where.ports is None:
            continue
        if "external_port" not in forward.given:
            needed = "external_port" if forward.protocol in BY_PORT else "protocol and external_port"
            reason = f'"{where}" has a port, but all are forwarded; give {needed}, or write "{where.address}"'
            yield Misfit(forward.place, key, reason)
        elif forward.ports and where.ports.size not in {1, forward.ports.size}:
            sizes = f"{where.ports.size} ports for {forward.ports.size} external"
            yield Misfit(forward.place, key, f"{sizes}; give one port, or as many as external_port has")


def _in_pool(forward: Written, pool: Sequence[IPv4Network]) -> Iterator[Misfit]:
    """No target is an address of the pool. The external address may be any that is there, or comes."""
    for key, where in forward.to:
        if any(where.address in part for part in pool):
            reason = f"{where.address} is an external address; name the internal host's own"
            yield Misfit(forward.place, key, reason)


def _clashes(written: list[Written], name: Callable[[int], str]) -> Iterator[Misfit]:
    seen: set[tuple[int, int]] = set()
    for one, other in crossing(claim for forward in written for claim in forward.claims):
        if (one.place, other.place) in seen:
            continue
        seen.add((one.place, other.place))
        first, last = max(one.ports.first, other.ports.first), min(one.ports.last, other.ports.last)
        shared = other._replace(ports=PortRange(first, last))
        late = written[other.place]
        key = next((key for key in ("external_port", "external_address") if key in late.given), "protocol")
        advice = "take one out" if one.ports == other.ports else "take what they share out of one"
        reason = f"{shared} is forwarded already, by {name(one.place)}; {advice}"
        yield Misfit(other.place, (key,), reason)


def _external_targets(written: list[Written], name: Callable[[int], str]) -> Iterator[Misfit]:
    """No forward leads to an address that another one has outside."""
    outside = {forward.external: forward for forward in reversed(written) if forward.external}
    for forward in written:
        for key, where in forward.to:
            other = outside.get(where.address)
            if other is None:
                continue
            if other.place > forward.place:
                reason = (
                    f"{where.address} is a host that {name(forward.place)} leads to; it cannot be external"
                )
                yield Misfit(other.place, ("external_address",), reason)
            else:
                reason = f"{where.address} is an external address; name the internal host's own"
                yield Misfit(forward.place, key, reason)


def _own_addresses(written: list[Written], name: Callable[[int], str]) -> Iterator[Misfit]:
    """A host has one external address of its own at most, or it would not be known as which it appears."""
    owners: dict[IPv4Address, Written] = {}
    for forward in written:
        if forward.gives_an_address:
            key, where = forward.to[0]
            other = owners.setdefault(where.address, forward)
            if other is not forward:
                reason = f"{where.address} has {other.external} of its own already, by {name(other.place)}"
                yield Misfit(forward.place, key, f"{reason}; give protocol, or lead both elsewhere")


def _too_many(written: list[Written]) -> Iterator[Misfit]:
    """The forward to two protocols is two."""
    counts = [len(numbers_of(forward.protocol)) if forward.protocol else 1 for forward in written]
    forwards = sum(counts)
    targets = sum(count * len(forward.to) for count, forward in zip(counts, written, strict=True))
    for what, there, most in (
        ("forwards", forwards, MOST_FORWARDS),
        ("targets", targets, MOST_FORWARD_TARGETS),
    ):
        if there > most:
            yield Misfit(None, (), f"{there} {what} in all, {BOTH} counted twice; at most {most}")

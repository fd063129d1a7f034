"""What no key is to blame for alone: values that are good each by itself and clash with another.

Works on the document and not on a Config, so that these errors come together with those of single keys.
A value that is wrong by itself is passed over: it has its own error already.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from nfmasq.config.addresses import PortRange, interface, network, pool, port_range, target
from nfmasq.config.errors import ConfigError, key_of, quoted
from nfmasq.config.models import LAST_QUEUE, MOST_ADDRESSES, MOST_QUEUES, Control, Engine
from nfmasq.config.values import path, whole

Document = dict[str, Any]
Kind = TypeVar("Kind")


class Span(NamedTuple):
    """Numbers from `first` to `last`, and the place in its list where the file says so."""

    first: int
    last: int
    place: int


def clashes(document: Document) -> list[ConfigError]:
    """Every clash between good values of `document`."""
    rules = (_interfaces, _addresses, _networks, _forwarded_ports, _targets, _queues, _files)
    return [error for rule in rules for error in rule(document)]


def _good(parse: Callable[[Any], Kind], value: Any) -> Kind | None:
    try:
        return parse(value)
    except ValueError:
        return None


def _good_items(parse: Callable[[Any], Kind], items: list[Any]) -> list[tuple[int, Kind]]:
    """The items that are good by themselves, each with its place in the list."""
    return [(place, value) for place, item in enumerate(items) if (value := _good(parse, item)) is not None]


def _table(value: Any) -> Document:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _overlapping(spans: list[Span]) -> Iterator[tuple[Span, Span]]:
    """Pairs of spans that share numbers, the one first in the file first; at least one pair for each knot."""
    widest: Span | None = None
    for span in sorted(spans):
        if widest and span.first <= widest.last:
            one, other = sorted((widest, span), key=lambda each: each.place)
            yield one, other
        if widest is None or span.last > widest.last:
            widest = span


def _interfaces(document: Document) -> Iterator[ConfigError]:
    nat = _table(document.get("nat"))
    seen: set[str] = set()
    for place, name in _good_items(interface, _list(nat.get("internal"))):
        if name in seen:
            yield ConfigError(key_of(("nat", "internal", place)), f"{quoted(name)} is there twice")
        seen.add(name)
    external = nat.get("external")
    if isinstance(external, str) and external in seen:
        yield ConfigError(
            "nat.external", f"{quoted(external)} is in nat.internal too; an interface has one side"
        )


def _addresses(document: Document) -> Iterator[ConfigError]:
    written = _list(_table(document.get("nat")).get("addresses"))
    pools = _good_items(pool, written)
    spans = [Span(int(pool[0]), int(pool[-1]), place) for place, pool in pools]
    for one, other in _overlapping(spans):
        key = key_of(("nat", "addresses", other.place))
        both = f"{quoted(written[other.place])} overlaps {quoted(written[one.place])}"
        yield ConfigError(key, f"{both}, nat.addresses[{one.place}]; each address once")
    count = sum(addresses.num_addresses for _, addresses in pools)
    if count > MOST_ADDRESSES:
        yield ConfigError("nat.addresses", f"{count} addresses in all; at most {MOST_ADDRESSES}")


def _networks(document: Document) -> Iterator[ConfigError]:
    """Networks may lie inside one another, the narrower one counts; but each may be there only once."""
    written = [_table(table).get("cidr") for table in _list(document.get("network"))]
    places: dict[object, int] = {}
    for place, cidr in _good_items(network, written):
        if places.setdefault(cidr, place) != place:
            key = key_of(("network", place, "cidr"))
            yield ConfigError(key, f"{cidr} has a [[network]] already, network[{places[cidr]}]; join them")


def _forwarded_ports(document: Document) -> Iterator[ConfigError]:
    forwards = [_table(forward) for forward in _list(document.get("forward"))]
    external = _good_items(port_range, [forward.get("external_port") for forward in forwards])
    for protocol in ("tcp", "udp"):
        spans = [
            Span(*ports, place) for place, ports in external if forwards[place].get("protocol") == protocol
        ]
        for one, other in _overlapping(spans):
            shared = PortRange(max(one.first, other.first), min(one.last, other.last))
            key = key_of(("forward", other.place, "external_port"))
            yield ConfigError(key, f"{protocol} {shared} is forwarded already, by forward[{one.place}]")


def _targets(document: Document) -> Iterator[ConfigError]:
    for place, forward in enumerate(map(_table, _list(document.get("forward")))):
        external, to = _good(port_range, forward.get("external_port")), forward.get("to")
        for number, where in _good_items(target, [to] if isinstance(to, str) else _list(to)):
            if external and where.ports.size not in {1, external.size}:
                key = key_of(("forward", place, "to", *(() if isinstance(to, str) else (number,))))
                sizes = f"{where.ports.size} ports for {external.size} external"
                yield ConfigError(key, f"{sizes}; give one port, or as many as external_port has")


def _queues(document: Document) -> Iterator[ConfigError]:
    engine = _table(document.get("engine"))
    first = _good(whole(0, LAST_QUEUE), engine.get("first_queue", Engine().first_queue))
    wanted = engine.get("queues", "auto")
    count = Engine().queues if wanted == "auto" else _good(whole(1, MOST_QUEUES), wanted)
    if first is not None and count is not None and first + count > LAST_QUEUE:
        queues = f"{count} queues and one more from {first} on end at {first + count}"
        yield ConfigError("engine.first_queue", f"{queues}; the last there can be is {LAST_QUEUE}")


def _files(document: Document) -> Iterator[ConfigError]:
    control, engine = _table(document.get("control")), _table(document.get("engine"))
    socket = _good(path, control.get("socket", str(Control().socket)))
    state = _good(path, engine.get("state", str(Engine().state)))
    if socket is not None and socket == state:
        key, other = (
            ("engine.state", "control.socket") if "state" in engine else ("control.socket", "engine.state")
        )
        yield ConfigError(key, f"{state} is {other} too; give each a path of its own")

"""Clashes: values that are good each by itself, and not together.

Works on the document and not on a Config, so that these errors come together with those of single keys.
A value that is wrong by itself is passed over: it has its own error already.
"""

from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from nfmasq.config.addresses import (
    covered,
    host_address,
    interface,
    low_port_ranges,
    network,
    pool,
    port_ranges,
)
from nfmasq.config.errors import ConfigError, did_you_mean, key_of, quoted
from nfmasq.config.forwards import misfits
from nfmasq.config.helpers import helper_errors
from nfmasq.config.lenient import Document, as_list, as_table, good, good_items
from nfmasq.config.outside import externals, pools_of
from nfmasq.config.sections.control import Control
from nfmasq.config.sections.engine import LAST_QUEUE, MOST_WORKERS, Engine
from nfmasq.config.sections.nat import MOST_EXEMPT
from nfmasq.config.values import path, whole
from nfmasq.core.limits import MOST_BEHAVIOURS, MOST_EXTERNAL_ADDRESSES, MOST_UPLINKS
from nfmasq.core.queue_socket import QUEUES_BESIDES, QUEUES_EACH

MOST_NETWORKS = MOST_BEHAVIOURS - 1
"""[[network]] tables: each is a behaviour, and [nat] is the one for everywhere."""


class Span(NamedTuple):
    """Numbers from `first` to `last`, and the place in its list where the file says so."""

    first: int
    last: int
    place: int


def clashes(document: Document) -> list[ConfigError]:
    """Every clash between good values of `document`."""
    rules = (
        _interfaces,
        _addresses,
        _low_ports,
        _exempt,
        _networks,
        _forwards,
        helper_errors,
        _queues,
        _files,
    )
    return [error for rule in rules for error in rule(document)]


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
    nat = as_table(document.get("nat"))
    seen: set[str] = set()
    for place, name in good_items(interface, as_list(nat.get("internal"))):
        if name in seen:
            yield ConfigError(key_of(("nat", "internal", place)), f"{quoted(name)} is there twice")
        seen.add(name)
    outer: set[str] = set()
    for key, name in externals(nat):
        if name in seen:
            yield ConfigError(key, f"{quoted(name)} is in nat.internal too; an interface has one side")
        elif name in outer:
            yield ConfigError(key, f"{quoted(name)} is there twice")
        outer.add(name)
    if len(outer) > MOST_UPLINKS:
        yield ConfigError("nat.external", f"{len(outer)} external interfaces; at most {MOST_UPLINKS}")
    for place, name in good_items(interface, as_list(nat.get("unguarded"))):
        if name in outer:
            reason = f"{quoted(name)} is nat.external, which is always guarded; take it out here"
            yield ConfigError(key_of(("nat", "unguarded", place)), reason)


def _addresses(document: Document) -> Iterator[ConfigError]:
    nat = as_table(document.get("nat"))
    pools = pools_of(nat)
    spans = [Span(int(each.pool[0]), int(each.pool[-1]), place) for place, each in enumerate(pools)]
    for one, other in _overlapping(spans):
        first, second = pools[one.place], pools[other.place]
        both = f"{quoted(second.written)} overlaps {quoted(first.written)}"
        yield ConfigError(second.key, f"{both}, {first.key}; each address once")
    count = sum(each.pool.num_addresses for each in pools)
    if count > MOST_EXTERNAL_ADDRESSES:
        yield ConfigError("nat.addresses", f"{count} addresses in all; at most {MOST_EXTERNAL_ADDRESSES}")
    names = [name for _, name in externals(nat)]
    for name in as_table(nat.get("addresses")):
        if names and name not in names:
            advice = did_you_mean(name, names) or f"; there are: {', '.join(names)}"
            yield ConfigError(
                key_of(("nat", "addresses", name)), f"{quoted(name)} is not in nat.external{advice}"
            )


def _low_ports(document: Document) -> Iterator[ConfigError]:
    """A port is handed out by one of the two keys."""
    nat = as_table(document.get("nat"))
    if "ports" not in nat or "low_ports" not in nat:
        return
    ports, low = good(port_ranges, nat["ports"]) or (), good(low_port_ranges, nat["low_ports"]) or ()
    shared = next(covered(ports, low), None)
    if shared:
        yield ConfigError("nat.low_ports", f"{shared} is in nat.ports too; take it out of one")


def _exempt(document: Document) -> Iterator[ConfigError]:
    """Exempt destinations lie outside: no address of ours is one."""
    nat = as_table(document.get("nat"))
    written = as_list(nat.get("except"))
    forwards = [as_table(table).get("external_address") for table in as_list(document.get("forward"))]
    ours = [
        *((each.key, each.pool) for each in pools_of(nat)),
        *(
            (f"forward[{place}].external_address", IPv4Network(address))
            for place, address in good_items(host_address, forwards)
        ),
    ]
    for place, exempt in good_items(pool, written):
        for where, addresses in ours:
            if exempt.overlaps(addresses):
                yield ConfigError(
                    key_of(("nat", "except", place)),
                    f"{quoted(written[place])} overlaps {addresses}, {where}; "
                    "leave the external addresses out of nat.except",
                )
                break
    if len(written) > MOST_EXEMPT:
        yield ConfigError("nat.except", f"{len(written)} networks; at most {MOST_EXEMPT}; join some of them")


def _networks(document: Document) -> Iterator[ConfigError]:
    """Networks may lie inside one another, the narrower one counts; but each may be there only once."""
    written = [as_table(table).get("cidr") for table in as_list(document.get("network"))]
    places: dict[object, int] = {}
    for place, cidr in good_items(network, written):
        if places.setdefault(cidr, place) != place:
            key = key_of(("network", place, "cidr"))
            yield ConfigError(key, f"{cidr} has a [[network]] already, network[{places[cidr]}]; join them")
    if len(written) > MOST_NETWORKS:
        yield ConfigError("network", f"{len(written)} networks; at most {MOST_NETWORKS}")


def _forwards(document: Document) -> Iterator[ConfigError]:
    pools = [each.pool for each in pools_of(as_table(document.get("nat")))]
    for place, key, reason in misfits(as_list(document.get("forward")), pools):
        yield ConfigError(key_of(("forward", *(() if place is None else (place, *key)))), reason)


def _queues(document: Document) -> Iterator[ConfigError]:
    engine = as_table(document.get("engine"))
    first = good(whole(0, LAST_QUEUE), engine.get("first_queue", Engine().first_queue))
    if "workers" in engine and "queues" in engine:
        yield ConfigError("engine.queues", "is the older name of engine.workers; take it out")
    wanted = engine.get("workers", engine.get("queues", "auto"))
    count = Engine().workers if wanted == "auto" else good(whole(1, MOST_WORKERS), wanted)
    if first is None or count is None:
        return
    last = first + count * QUEUES_EACH + QUEUES_BESIDES - 1
    if last > LAST_QUEUE:
        all_of_them = f"{count * QUEUES_EACH} queues and {QUEUES_BESIDES} more"
        queues = f"{all_of_them} from {first} on end at {last}"
        yield ConfigError("engine.first_queue", f"{queues}; the last there can be is {LAST_QUEUE}")


def _files(document: Document) -> Iterator[ConfigError]:
    defaults = {
        ("control", "socket"): Control().socket,
        ("engine", "state"): Engine().state,
        ("engine", "saved"): Engine().saved,
        ("engine", "forwards"): Engine().forwards,
    }
    seen: dict[Path, str] = {}
    for (table, name), default in defaults.items():
        written = as_table(document.get(table))
        file, key = good(path, written.get(name, str(default))), f"{table}.{name}"
        if file is None:
            continue
        other = seen.setdefault(file, key)
        if other != key:
            key, other = (key, other) if name in written else (other, key)
            yield ConfigError(key, f"{file} is {other} too; give each a path of its own")

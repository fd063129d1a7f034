"""What a configuration may say, but whoever wrote it should hear about."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from nfmasq.config.errors import key_of

if TYPE_CHECKING:
    from nfmasq.config.models import Behaviour, Config, Table


class Minimum(NamedTuple):
    """The least an RFC allows for one of [timeouts]."""

    key: str
    seconds: int
    source: str


MINIMUMS = (
    Minimum("udp", 120, "RFC 4787 REQ-5"),
    Minimum("tcp_established", 7440, "RFC 5382 REQ-5"),
    Minimum("tcp_transitory", 240, "RFC 5382 REQ-5"),
    Minimum("icmp", 60, "RFC 5508 REQ-2"),
)


class Unbuilt(NamedTuple):
    """Something the file may say that this version does not do.

    places: the keys of a configuration that ask for it. instead: what happens.
    """

    places: "Callable[[Config], Iterator[str]]"
    instead: str


def _other_mappings(config: "Config") -> Iterator[str]:
    nat = config.nat
    written = {
        "nat.mapping": nat.mapping,
        "nat.udp.mapping": _mapping(nat.udp),
        "nat.tcp.mapping": _mapping(nat.tcp),
    }
    for key, mapping in written.items():
        if mapping not in {None, "endpoint-independent"}:
            yield key


def _mapping(behaviour: "Behaviour | None") -> str | None:
    return behaviour.mapping if behaviour else None


def _written(table: "Table", key: str, place: str) -> Iterator[str]:
    if key in table.model_fields_set and getattr(table, key):
        yield place


def _helpers(config: "Config") -> Iterator[str]:
    for name, helper in config.written_helpers.items():
        if helper.enabled:
            yield key_of(("helpers", name))


UNBUILT = (
    Unbuilt(_other_mappings, "endpoint-independent is used"),
    Unbuilt(lambda config: _written(config.nat, "hairpinning", "nat.hairpinning"), "it has no effect"),
    Unbuilt(
        lambda config: _written(config, "network", "network"), "every internal network has what [nat] says"
    ),
    Unbuilt(lambda config: _written(config, "forward", "forward"), "it has no effect"),
    Unbuilt(_helpers, "the helper does nothing"),
    Unbuilt(
        lambda config: _written(config.timeouts, "expectation", "timeouts.expectation"), "it has no effect"
    ),
)
"""A row goes when what it names is built."""


def warnings_of(config: "Config") -> list[str]:
    """One line each: the key, and what to know about it."""
    return [*_below_minimum(config), *_not_built(config)]


def _below_minimum(config: "Config") -> Iterator[str]:
    for key, least, source in MINIMUMS:
        seconds = getattr(config.timeouts, key)
        if seconds < least:
            yield f"timeouts.{key}: {seconds} s is taken, but {source} asks for {least} s at least"


def _not_built(config: "Config") -> Iterator[str]:
    for places, instead in UNBUILT:
        for place in places(config):
            yield f"{place}: not built yet; {instead}"

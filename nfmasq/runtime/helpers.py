"""The switchboard: for whom each helper is enabled, and which sessions the core gives it.

What is stored: an entry for each helper that could be loaded, in an immutable mapping that is replaced as a
whole. Also how long an expectation waits, and which helpers do not fit into the core. Who writes: the
daemon's control thread alone; any thread may read `entries`. What ends a change: the next one for the same
helper, or a reload, which sets everything as the file says.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

from nfmasq.config import Config
from nfmasq.config.declared import Declared, declared, names
from nfmasq.config.helpers import unknown
from nfmasq.config.protocols import PROTOCOL_NUMBERS
from nfmasq.core.limits import MOST_HELPER_NETWORKS
from nfmasq.core.policy import HelperPort
from nfmasq.helpers import registry
from nfmasq.helpers.facts import Facts
from nfmasq.helpers.kit.base import Helper
from nfmasq.helpers.switches import Switch


class NoSuchHelper(Exception):
    """No helper has this name; the message is one line, with what to do."""


class HelperRefused(Exception):
    """A helper cannot be enabled or disabled so; the message is one line, with what to do."""


@dataclass(frozen=True)
class Entry:
    """One helper as it is set. number: in the core. helper: made with its options. ports: of its sessions."""

    name: str
    number: int
    helper: Helper
    transports: tuple[str, ...]
    ports: tuple[int, ...]
    switch: Switch
    options: Mapping[str, Any]


class Switchboard:
    """The helpers of one daemon. problem: which helpers do not fit into the core, or ""."""

    def __init__(self, config: Config) -> None:
        self.expectation_s = config.timeouts.expectation
        self.entries: Mapping[str, Entry] = dict(_entries(config, {}))
        self.problem = ""

    def adopt(self, config: Config) -> None:
        """Set all helpers as a configuration says."""
        self.expectation_s = config.timeouts.expectation
        self.entries = dict(_entries(config, self.entries))

    def set_enabled(self, name: str, enabled: bool, network: IPv4Network | None) -> Entry:
        """Enable or disable a helper for one network's hosts; None: for all.

        Returns the entry as it is then. Raises NoSuchHelper; HelperRefused, where another enabled helper has
        one of its ports, or where it could not be loaded.
        """
        before = self._entry(name)
        entry = replace(before, switch=before.switch.with_enabled(enabled, network))
        if enabled:
            self._require_ports(entry)
            entry = _loaded(entry)
        self.entries = {**self.entries, name: entry}
        return entry

    def ports(self, internal: Iterable[IPv4Network]) -> tuple[HelperPort, ...]:
        """Which ports the core gives to which helper, with these internal networks.

        A helper whose networks do not fit into the core is left out; `problem` says so.
        """
        made: list[HelperPort] = []
        room, left_out = MOST_HELPER_NETWORKS, []
        for entry in self.entries.values():
            networks = entry.switch.hosts(internal)
            if networks is None:
                continue
            taken = len(networks) * len(entry.ports) * len(entry.transports)
            if taken > room:
                left_out.append(entry.name)
                continue
            room -= taken
            made += [
                HelperPort(entry.number, PROTOCOL_NUMBERS[transport], port, networks)
                for transport in entry.transports
                for port in entry.ports
            ]
        self.problem = ""
        if left_out:
            self.problem = (
                f"no room for the networks of {', '.join(left_out)}: disabled; name fewer or wider ones"
            )
        return tuple(made)

    def _entry(self, name: str) -> Entry:
        if name in self.entries:
            return self.entries[name]
        if name not in names():
            raise NoSuchHelper(unknown(name, names()))
        raise HelperRefused(f"the helper {name} cannot be enabled or disabled: {_why(name)}")

    def _require_ports(self, entry: Entry) -> None:
        """Raise HelperRefused where a session would get two helpers."""
        for other in self.entries.values():
            shared = set(other.ports).intersection(entry.ports)
            both = [each for each in entry.transports if each in other.transports]
            if shared and both and other.name != entry.name and other.switch.anywhere:
                raise HelperRefused(
                    f"{both[0]} port {min(shared)} is the {other.name} helper's, which is enabled; "
                    f"disable that one first, or give helpers.{entry.name} ports of its own"
                )


def _entries(config: Config, before: Mapping[str, Entry]) -> Iterator[tuple[str, Entry]]:
    for name in names():
        own = declared(name)
        if own is not None:
            with suppress(registry.Unusable):  # a warning of the configuration says why
                yield name, _entry(name, own, config, before.get(name))


def _entry(name: str, own: Declared, config: Config, before: Entry | None) -> Entry:
    written = config.helpers.get(name)
    switch = Switch(written.enabled if written else own.enabled_by_default)
    for network in sorted(config.network, key=lambda each: each.cidr.prefixlen):
        if name in network.helpers:
            switch = switch.with_enabled(network.helpers[name], network.cidr)
    options = {key: own.options[key](value) for key, value in (written.options if written else {}).items()}
    return Entry(
        name=name,
        number=registry.number(name),
        helper=_helper(own, options, switch, before),
        transports=own.transports,
        ports=tuple(dict.fromkeys(written.ports if written and written.ports else own.ports)),
        switch=switch,
        options=options,
    )


def _helper(own: Declared, options: Mapping[str, Any], switch: Switch, before: Entry | None) -> Helper:
    """The helper with its options. One that is disabled is not loaded for it. Raises Unusable."""
    if before and before.options == options and not isinstance(before.helper, Facts):
        return before.helper
    if own.unloaded is not None and not switch.anywhere:
        return own.unloaded
    return own.make(**options)


def _loaded(entry: Entry) -> Entry:
    """The entry with its helper loaded. Raises HelperRefused where it cannot be."""
    if not isinstance(entry.helper, Facts):
        return entry
    try:
        return replace(entry, helper=registry.kind(entry.name)(**entry.options))
    except registry.Unusable as error:
        raise HelperRefused(f"the helper {entry.name} cannot be enabled: {error}") from None


def _why(name: str) -> str:
    try:
        registry.kind(name)
    except registry.Unusable as error:
        return str(error)
    return "it was not installed when nfmasq started; restart nfmasq"

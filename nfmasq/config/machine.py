"""What a good configuration names and this machine lacks, as the machine is now: no errors, it may come."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

from nfmasq.config.errors import ConfigError, did_you_mean, key_of, quoted
from nfmasq.config.models import Config


@dataclass(frozen=True)
class Wanted:
    """What the configuration asks of the machine's surroundings.

    internal, external, unguarded: interfaces. pools: the configured addresses, by external interface.
    translate: what each [[network]] that says so says.
    """

    internal: Sequence[str]
    external: Sequence[str]
    pools: Mapping[str, Sequence[IPv4Network]]
    translate: Sequence[tuple[IPv4Network, bool]]
    unguarded: Sequence[str] = ()


def wanted_of(config: Config) -> Wanted:
    """[nat] and [[network]] as the surroundings are derived by."""
    nat = config.nat
    return Wanted(
        internal=tuple(nat.internal),
        external=tuple(nat.external),
        pools=nat.pools,
        translate=tuple(
            (network.cidr, network.translate) for network in config.network if network.translate is not None
        ),
        unguarded=tuple(nat.unguarded),
    )


def missing_interfaces(config: Config) -> list[ConfigError]:
    """A line for each interface which this process's network namespace does not have."""
    existing = {name for _, name in socket.if_nameindex()}
    return [
        ConfigError(key, _missing(name, existing)) for key, name in _named(config) if name not in existing
    ]


def _named(config: Config) -> Iterator[tuple[str, str]]:
    nat = config.nat
    for place, name in enumerate(nat.internal):
        yield key_of(("nat", "internal", place)), name
    for place, name in enumerate(nat.external):
        yield key_of(("nat", "external", *([place] if len(nat.external) > 1 else []))), name


def _missing(name: str, existing: set[str]) -> str:
    advice = did_you_mean(name, sorted(existing)) or f"; there are: {', '.join(sorted(existing)) or 'none'}"
    return f"no interface {quoted(name)} here{advice}"

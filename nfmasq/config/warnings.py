"""What is odd about a good configuration: it is taken, with a warning."""

from collections.abc import Iterator
from typing import NamedTuple

from nfmasq.config.addresses import covered
from nfmasq.config.errors import key_of
from nfmasq.config.models import Behaviour, Config, Nat
from nfmasq.core.limits import MOST_HELPERS
from nfmasq.helpers import registry


class Minimum(NamedTuple):
    """The least an RFC allows for one of [timeouts]."""

    key: str
    seconds: int
    source: str


MINIMUMS = (
    Minimum("udp", 120, "RFC 4787 REQ-5"),
    Minimum("tcp_established", 7440, "RFC 5382 REQ-5"),
    Minimum("tcp_transitory", 240, "RFC 5382 REQ-5"),
    Minimum("tcp_closing", 240, "RFC 5382 REQ-5"),
    Minimum("icmp", 60, "RFC 5508 REQ-2"),
)
"""Not tcp_opening: RFC 7857 section 2.1 lets it be shorter, against floods of SYNs."""


MAPPING_UDP, MAPPING_TCP = ("RFC 4787 REQ-1",), ("RFC 5382 REQ-1",)


def warnings_of(config: Config) -> list[str]:
    """One line each: the key, and what to know about it."""
    return [
        *_other_mappings(config),
        *_no_hairpinning(config),
        *_older_names(config),
        *_ports_all_forwarded(config),
        *_below_minimum(config),
        *_helpers(config),
    ]


def _other_mappings(config: Config) -> Iterator[str]:
    """Each place that departs from endpoint-independent mapping."""
    nat = config.nat
    written: list[tuple[str, Behaviour | Nat | None, tuple[str, ...]]] = [
        ("nat.mapping", nat, (*MAPPING_UDP, *MAPPING_TCP)),
        ("nat.udp.mapping", nat.udp, MAPPING_UDP),
        ("nat.tcp.mapping", nat.tcp, MAPPING_TCP),
        *(
            (f"network[{place}].mapping", network, (*MAPPING_UDP, *MAPPING_TCP))
            for place, network in enumerate(config.network)
        ),
    ]
    for key, behaviour, sources in written:
        mapping = behaviour and behaviour.mapping
        if mapping and mapping != "endpoint-independent":
            asks = "asks" if len(sources) == 1 else "ask"
            yield f"{key}: {mapping} is taken, but {' and '.join(sources)} {asks} for endpoint-independent"


def _no_hairpinning(config: Config) -> Iterator[str]:
    if not config.nat.hairpinning:
        yield "nat.hairpinning: false is taken, but RFC 4787 REQ-9 and RFC 5382 REQ-8 ask for it"


def _older_names(config: Config) -> Iterator[str]:
    if "written_queues" in config.engine.model_fields_set:
        yield "engine.queues counts workers: name it engine.workers"


def _ports_all_forwarded(config: Config) -> Iterator[str]:
    """Ports that are forwarded are never handed out."""
    for protocol in ("tcp", "udp"):
        forwarded = (
            forward.external_port
            for forward in config.forward
            if forward.external_port and protocol in forward.protocol.split("+")
        )
        ports = config.nat.ports
        if sum(part.size for part in covered(forwarded, ports)) == sum(part.size for part in ports):
            yield f"forward: all of nat.ports are forwarded for {protocol}; no other session gets one"


def _below_minimum(config: Config) -> Iterator[str]:
    for key, least, source in MINIMUMS:
        seconds = getattr(config.timeouts, key)
        without_effect = key == "tcp_transitory" and config.timeouts.tcp_closing is not None
        if seconds is not None and seconds < least and not without_effect:
            yield f"timeouts.{key}: {seconds} s is taken, but {source} asks for {least} s at least"


def _enables(config: Config, name: str, by_default: bool) -> bool:
    """Is a helper enabled for any host?"""
    written = config.helpers.get(name)
    by_network = [network.helpers.get(name, False) for network in config.network]
    return any([written.enabled if written else by_default, *by_network])


def _helpers(config: Config) -> Iterator[str]:
    """Helpers that are enabled and cannot be loaded, or that warn of themselves."""
    for name in registry.installed():
        facts = registry.facts(name)
        if facts is not None and not _enables(config, name, facts.enabled_by_default):
            continue  # it is not loaded
        try:
            kind = registry.kind(name)
        except registry.Unusable as error:
            yield f"{key_of(('helpers', name))}: {error}; it stays disabled"
            continue
        warning = getattr(kind, "warning", "")
        if warning and _enables(config, name, kind.enabled_by_default):
            yield f"{key_of(('helpers', name))}: {warning}"
    if registry.beyond():
        names = ", ".join(registry.beyond())
        yield f"helpers: {names}: left out: the core holds {MOST_HELPERS} helpers at most"

"""Rules of others that stand in the way of nfmasq's."""

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from nfmasq.diversion import foreign
from nfmasq.doctor.check import Check
from nfmasq.machine.surroundings import Surroundings

if TYPE_CHECKING:
    from nfmasq.config import Config


def other_translations(config: "Config", surroundings: Surroundings | None) -> Check:
    """Does another rule translate what nfmasq translates? surroundings: None if they cannot be read."""
    name = "other translations"
    sources, never_to = _translated(surroundings) if surroundings else ((), ())
    lines = (foreign.source_translations(each, sources, never_to) for each in config.nat.external)
    found = list(dict.fromkeys(line for some in lines for line in some))
    if not found:
        return Check(name, "ok", f"no other rule translates what leaves by {', '.join(config.nat.external)}")
    return Check(name, "warn", f"packets may be translated twice: {'; '.join(found)}", "delete those rules")


def _translated(here: Surroundings) -> tuple[tuple[IPv4Network, ...], tuple[IPv4Network, ...]]:
    """Sources of what is translated, before and after that, and where none of it goes."""
    ours = (IPv4Network(address) for outside in here.outsides for address in outside.addresses)
    return (*here.internal, *ours), (*here.internal, *here.untranslated, *here.elsewhere)


def flow_offload(config: "Config") -> Check:
    """Does a flow table forward packets past the queues?"""
    name = "flow offload"
    found = foreign.flowtables({*config.nat.internal, *config.nat.external})
    if not found:
        return Check(name, "ok", "no flow table takes packets past the queues")
    return Check(
        name,
        "fail",
        f"{'; '.join(found)} forwards packets untranslated, past every rule",
        "delete those flow tables",
    )

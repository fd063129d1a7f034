"""Rules of others that stand in the way of nfmasq's."""

from typing import TYPE_CHECKING

from nfmasq.diversion import foreign
from nfmasq.doctor.check import Check

if TYPE_CHECKING:
    from nfmasq.config import Config


def other_translations(config: "Config") -> Check:
    """Does another rule translate what leaves by the external interface?"""
    name = "other translations"
    found = foreign.source_translations(config.nat.external)
    if not found:
        return Check(name, "ok", f"no other rule translates what leaves by {config.nat.external}")
    return Check(name, "warn", f"packets may be translated twice: {'; '.join(found)}", "delete those rules")


def flow_offload(config: "Config") -> Check:
    """Does a flow table forward packets past the queues?"""
    name = "flow offload"
    found = foreign.flowtables({*config.nat.internal, config.nat.external})
    if not found:
        return Check(name, "ok", "no flow table takes packets past the queues")
    return Check(
        name,
        "fail",
        f"{'; '.join(found)} forwards packets untranslated, past every rule",
        "delete those flow tables",
    )

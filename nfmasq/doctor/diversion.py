"""Can rules send packets to the queues, and can untranslated packets be stopped without them?"""

from nfmasq.diversion import DiversionUnavailable, probe
from nfmasq.diversion import egress as egressing
from nfmasq.diversion import guard as guarding
from nfmasq.doctor.check import Check


def diversion(wanted: str) -> Check:
    """Can rules send packets to the queues, and by which program?"""
    name = "diversion"
    try:
        found = probe(wanted).name
    except DiversionUnavailable as error:
        why, _, mend = str(error).rpartition("; ")
        return Check(name, "fail", why, mend)
    if found == "none":
        return Check(
            name,
            "warn",
            "engine.diversion is none: no rules divert packets but those you lay yourself",
            'set engine.diversion = "auto" and nfmasq lays them',
        )
    return Check(name, "ok", f"by {found}")


def guard() -> Check:
    """Can untranslated packets be stopped when the diversion is gone?"""
    name = "guard"
    try:
        found = guarding.backend()
    except DiversionUnavailable as error:
        why, _, mend = str(error).rpartition("; ")
        return Check(name, "fail", why, mend)
    if found == "iptables":
        return Check(
            name,
            "warn",
            "only a chain in iptables' mangle table: flushing that table removes the guard too",
            "apt install nftables, for a guard with a table of its own",
        )
    return Check(name, "ok", "an nft table of its own")


def egress() -> Check:
    """Can the guard have its second line, which no flush of rules reaches?"""
    name = "egress program"
    why, _, mend = egressing.unavailable().rpartition("; ")
    return Check(name, "warn", why, mend) if why else Check(name, "ok", "the kernel takes it")

"""The kernel rules that send packets to nfmasq's queues, and the guard that stays when the rules are gone.

Two back ends lay the same rules: nft's `queue` expression, and iptables `-j NFQUEUE` for a kernel without it.
Which one this kernel takes is found by a real transaction, never guessed from a version. Every rule is in a
table or chain of our own; an administrator's rules are read at most, never changed.
"""

from nfmasq.diversion import egress, foreign, foreign_marks, guard
from nfmasq.diversion.backend import Diversion, DiversionPlan, DiversionUnavailable, External, NoDiversion
from nfmasq.diversion.foreign_tables import Others, read_others
from nfmasq.diversion.iptables import IptablesDiversion
from nfmasq.diversion.nftables import NftablesDiversion

__all__ = [
    "Diversion",
    "DiversionPlan",
    "DiversionUnavailable",
    "External",
    "NoDiversion",
    "Others",
    "foreign_problems",
    "others_lead_inside",
    "probe",
    "read_others",
    "withdraw_all",
]

BACK_ENDS: dict[str, type[NftablesDiversion] | type[IptablesDiversion]] = {
    "nftables": NftablesDiversion,
    "iptables": IptablesDiversion,
}


def probe(wanted: str = "auto") -> Diversion:
    """The back end to use: the first this kernel takes, or the wanted one ("nftables", "iptables", "none").

    Raises DiversionUnavailable when none works, with each one's reason and remedy.
    """
    if wanted == "none":
        return NoDiversion()
    if wanted != "auto" and wanted not in BACK_ENDS:
        raise DiversionUnavailable(f"diversion {wanted!r} is unknown; use auto, nftables, iptables or none")
    reasons = []
    for name in BACK_ENDS if wanted == "auto" else (wanted,):
        refusal = BACK_ENDS[name].refusal()
        if not refusal:
            return BACK_ENDS[name]()
        reasons.append(f"{name}: {refusal}")
    raise DiversionUnavailable("packets cannot be diverted to a queue: " + "; ".join(reasons))


def foreign_problems(plan: DiversionPlan, others: Others | None = None) -> list[str]:
    """What the rules of others do to the packets of this plan, a line each with its remedy.

    others: what was read of them; without it a few programs are started to read them now.
    """
    others = others or read_others()
    marks = foreign_marks.problems(plan.internal, plan.mark, others) if plan.hairpinning else []
    return [*foreign.problems(plan, others), *marks]


def others_lead_inside(others: Others) -> bool:
    """Do rules of others lead packets inside (DNAT)?"""
    return foreign.lead_inside(others)


def withdraw_all() -> None:
    """Take out every rule of ours, by whichever back end it was laid; the guard and its egress program last.

    Raises DiversionUnavailable if one stays.
    """
    for back_end in BACK_ENDS.values():
        back_end().remove()
    guard.remove()
    egress.remove_all()

"""The guard: it stops what would leave untranslated. `guard_rules` says what that is.

The guard stands apart from the diversion, in a table of its own. So losing the diversion's rules, or the
daemon, stops traffic and never lets it out untranslated. The guard looks at packets last, after every
translation.

What is stored: the guard as this process laid it, with its listing right after that. Only install() and
remove() write them. The rules themselves outlive the process on purpose; any later process may replace or
remove them.

Without nft the guard is chains behind our jump in mangle POSTROUTING. Diverted packets never come to the
guard there, so it stops only packets that no rule diverted. Limit: it looks before the kernel's own source
translation, so an interface by which others translate internal hosts needs a line in nat.unguarded.
"""

import json

from nfmasq.diversion import iptables, nftables
from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.guard_rules import CHAINS, COUNTERS, TABLE, counter_of, guard_table, iptables_rules
from nfmasq.diversion.iptables_rules import GUARD_CHAIN
from nfmasq.diversion.nftables import LaidTable
from nfmasq.machine.programs import NEEDS_PRIVILEGE, Outcome, run

__all__ = [
    "TABLE",
    "backend",
    "dropped",
    "guard_table",
    "install",
    "is_by_iptables",
    "present",
    "remove",
    "stands_in",
]

_BY_NFT, _BY_IPTABLES = frozenset({f"ip {TABLE}"}), frozenset({"ip mangle"})

_laid = LaidTable()
_state: dict[str, object] = {}


def backend() -> str:
    """By which program the guard can be laid: "nftables" or "iptables".

    Raises DiversionUnavailable if by none.
    """
    probe = f"{TABLE}_probe"
    tried = run("nft", "-f", "-", script=f"add table ip {probe}\ndelete table ip {probe}\n")
    if tried.good:
        return "nftables"
    if tried.not_permitted:
        raise DiversionUnavailable(f"no guard: {NEEDS_PRIVILEGE}")
    if run("iptables-save", "-t", "mangle").good:
        return "iptables"
    raise DiversionUnavailable(
        f"no guard: neither nft ({tried.complaint}) nor iptables works; apt install nftables"
    )


def install(plan: DiversionPlan) -> None:
    """Lay the guard for `plan`, in place of the one before. Raises DiversionUnavailable if that fails."""
    if not (_laid.is_laid and _laid.lay(guard_table(plan)).good):
        _laid.forget()
        by_nft = backend() == "nftables"
        laid = _laid.lay(guard_table(plan)) if by_nft else _install_by_iptables(plan)
        if not laid.good:
            raise DiversionUnavailable(f"the guard could not be laid: {laid.complaint}")
    _state.clear()
    if not _laid.is_laid:
        _state["installed"] = _whole_listing(plan)


def _whole_listing(plan: DiversionPlan) -> str:
    """The guard's rules by iptables; "" if it is not by iptables, or another program took some meanwhile."""
    listed = "" if nftables.listing(TABLE) is not None else _listing()
    least = 1 + sum(map(len, iptables_rules(plan, quotes=False).values()))
    return listed if len(listed.splitlines()) >= least else ""


def _install_by_iptables(plan: DiversionPlan) -> Outcome:
    laid = _restore(plan, quotes=True)
    # A kernel may lack the u32 match: then the guard stands without it.
    return laid if laid.good else _restore(plan, quotes=False)


def _restore(plan: DiversionPlan, *, quotes: bool) -> Outcome:
    before = iptables.rules("mangle")
    last = iptables.last_place(before, "POSTROUTING", CHAINS)
    return iptables.restore(
        "mangle",
        [
            *(f":{chain} - [0:0]" for chain in CHAINS),
            *iptables.without(before, CHAINS),
            *(
                f"-A {chain} {rule}"
                for chain, rules in iptables_rules(plan, quotes=quotes).items()
                for rule in rules
            ),
            f"-I POSTROUTING {last} -j {GUARD_CHAIN}",
        ],
    )


def stands_in() -> frozenset[str]:
    """The tables of the kernel that the guard is in, as this process laid it; else that it may be in."""
    if _laid.is_laid:
        return _BY_NFT
    return _BY_IPTABLES if is_by_iptables() else _BY_NFT | _BY_IPTABLES


def is_by_iptables() -> bool:
    """Whether this process laid it by iptables."""
    return bool(_state.get("installed"))


def dropped() -> dict[str, int]:
    """How many packets the guard dropped since its rules were laid, by COUNTERS; {} without a guard."""
    listed = run("nft", "-j", "list", "counters", "table", "ip", TABLE)
    if listed.good:
        counters = [entry["counter"] for entry in json.loads(listed.output)["nftables"] if "counter" in entry]
        return {counter["name"]: counter["packets"] for counter in counters}
    counts = dict.fromkeys(COUNTERS, 0)
    lines = [line.partition(" ") for line in iptables.saved("mangle", "-c") if line.startswith("[")]
    ours = [(count, rule) for count, _, rule in lines if rule.split()[1] in CHAINS]
    for count, rule in ours:
        if rule.endswith("-j DROP"):
            counts[counter_of(rule)] += int(count[1:].partition(":")[0])
    return counts if ours else {}


def remove() -> None:
    """Take the guard out, an earlier process's too, by every program; harmless when there is none."""
    _state.clear()
    _laid.forget()
    nftables.delete(TABLE)
    iptables.erase("mangle", CHAINS)


def present() -> bool:
    """Is the guard there, and unchanged if this process laid it?"""
    if _laid.is_laid:
        return _laid.present()
    now = _listing()
    return bool(now) and now == _state.get("installed", now)


def _listing() -> str:
    """The guard's rules by either program, or ""."""
    listed = nftables.listing(TABLE)
    if listed is not None:
        return listed
    lines = iptables.rules("mangle")
    return "\n".join(line for line in lines if line.split()[1] in CHAINS or iptables.leads_to(line, CHAINS))

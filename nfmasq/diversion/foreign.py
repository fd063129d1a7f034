"""Rules of others that stand in the way: they are read and named, never changed.

`foreign_tables` reads them. A caller with several questions reads once, and asks each of what was read.
"""

from collections.abc import Iterable
from ipaddress import IPv4Network

from nfmasq.diversion.backend import DiversionPlan
from nfmasq.diversion.foreign_rules import LEAD, Packets, Rule, translations
from nfmasq.diversion.foreign_tables import OURS, Others, listed, read_others


def problems(plan: DiversionPlan, others: Others | None = None) -> list[str]:
    """What the rules of others do to packets that this plan has translated, a line each."""
    others = others or read_others()
    sources = (*plan.merged_networks, *plan.merged_addresses)
    never_to = (*plan.networks, *plan.untranslated, *plan.elsewhere)
    found = [
        f"{rule} translates packets that leave by {name} a second time; delete the rule"
        for name in plan.outside
        for rule in source_translations(name, sources, never_to, others)
    ]
    found += [
        f"{rule} takes packets before the rules of nfmasq do; give it a RETURN"
        for rule in early(plan, others)
    ]
    return list(dict.fromkeys(found))


def early(plan: DiversionPlan, others: Others) -> list[str]:
    """Rules of iptables that accept packets to divert before our jumps, which they never reach then."""
    places = {
        "raw": ("prerouting", Packets(into=plan.sides)),
        "mangle": ("postrouting", Packets(plan.outside, plan.internal, plan.merged_networks)),
    }
    found = []
    for kind, (hook, packets) in places.items():
        for table in others.tables(kind):
            for chain in table.values():
                ours = [at for at, rule in enumerate(chain.rules) if _leads_to_us(rule)]
                before = chain.rules[: ours[0]] if ours and chain.hook == hook else []
                found += [
                    rule.shown for rule in before if _accepts(rule) and packets.match(rule) is not False
                ]
    return found


def _leads_to_us(rule: Rule) -> bool:
    return any(target.startswith(OURS) for target in rule.targets)


def _accepts(rule: Rule) -> bool:
    return rule.shown.endswith("-j ACCEPT")


def source_translations(
    interface: str,
    sources: Iterable[IPv4Network] = (),
    never_to: Iterable[IPv4Network] = (),
    others: Others | None = None,
) -> list[str]:
    """Rules that may translate packets leaving by `interface` from these sources, each in a few words.

    sources: none: wherever packets come from. never_to: networks that no packet leaves for by this interface.
    A packet of these bears no mark.
    """
    packets = Packets((interface,), (), tuple(sources), tuple(never_to), mark=0)
    tables = (others or read_others()).tables("nat")
    found = [rule.shown for table in tables for rule in translations(table, packets)]
    return list(dict.fromkeys(found))


def lead_inside(others: Others) -> bool:
    """Do rules of others lead packets to another destination (DNAT)? Then conntrack is at work."""
    return any(
        rule.action == LEAD
        for table in others.tables("nat")
        for chain in table.values()
        for rule in chain.rules
    )


def flowtables(interfaces: set[str]) -> list[str]:
    """Flow tables on these interfaces: what they forward passes by every queue rule, and the guard."""
    return [
        f"nft flowtable {table['family']} {table['table']} {table['name']}"
        for table in listed().get("flowtable", [])
        if interfaces.intersection(
            [table["dev"]] if isinstance(table.get("dev"), str) else table.get("dev", [])
        )
    ]

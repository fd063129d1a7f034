"""Rules of others that stand in the way: they are read and named, never changed."""

import json
from collections.abc import Iterable
from ipaddress import IPv4Network

from nfmasq.diversion.backend import DiversionPlan
from nfmasq.diversion.foreign_iptables import read_saved
from nfmasq.diversion.foreign_nft import Objects, read_listed
from nfmasq.diversion.foreign_rules import Packets, Rule, Ruleset, translations
from nfmasq.machine.programs import run

_OURS = "nfmasq"


def problems(plan: DiversionPlan) -> list[str]:
    """What the rules of others do to packets that this plan has translated, a line each."""
    sources = (*plan.merged_networks, *plan.merged_addresses)
    never_to = (*plan.networks, *plan.untranslated, *plan.elsewhere)
    found = [
        f"{rule} translates packets that leave by {name} a second time; delete the rule"
        for name in plan.outside
        for rule in source_translations(name, sources, never_to)
    ]
    found += [f"{rule} takes packets before the rules of nfmasq do; give it a RETURN" for rule in early(plan)]
    return list(dict.fromkeys(found))


def early(plan: DiversionPlan) -> list[str]:
    """Rules of iptables that accept packets to divert before our jumps, which they never reach then."""
    places = {
        "raw": ("prerouting", Packets(into=plan.sides)),
        "mangle": ("postrouting", Packets(plan.outside, plan.internal, plan.merged_networks)),
    }
    found = []
    for kind, (hook, packets) in places.items():
        for table in rulesets(kind):
            for chain in table.values():
                ours = [at for at, rule in enumerate(chain.rules) if _leads_to_us(rule)]
                before = chain.rules[: ours[0]] if ours and chain.hook == hook else []
                found += [
                    rule.shown for rule in before if _accepts(rule) and packets.match(rule) is not False
                ]
    return found


def _leads_to_us(rule: Rule) -> bool:
    return any(target.startswith(_OURS) for target in rule.targets)


def _accepts(rule: Rule) -> bool:
    return rule.shown.endswith("-j ACCEPT")


def source_translations(
    interface: str, sources: Iterable[IPv4Network] = (), never_to: Iterable[IPv4Network] = ()
) -> list[str]:
    """Rules that may translate packets leaving by `interface` from these sources, each in a few words.

    sources: none: wherever packets come from. never_to: networks that no packet leaves for by this interface.
    A packet of these bears no mark.
    """
    packets = Packets((interface,), (), tuple(sources), tuple(never_to), mark=0)
    found = [rule.shown for table in rulesets("nat") for rule in translations(table, packets)]
    return list(dict.fromkeys(found))


def rulesets(*kinds: str) -> list[Ruleset]:
    """The tables of others: those of iptables by these names, and all that nft has besides.

    nft lists the tables of iptables over nf_tables too, but not what every rule there asks.
    """
    saved = run("iptables-nft-save")
    text = (run("iptables-save") if saved.code == 127 else saved).output
    by_iptables = read_saved(text) if "nf_tables" in text else {}
    tables = [by_iptables[kind] for kind in kinds if kind in by_iptables]
    # Without -t the legacy program loads no table.
    legacy = read_saved(run("iptables-legacy-save").output)
    tables += [legacy[kind] for kind in kinds if kind in legacy]
    for name, table in read_listed(ruleset()).items():
        if name.removeprefix("ip ") not in by_iptables and not name.removeprefix("ip ").startswith(_OURS):
            tables.append(table)
    return tables


def flowtables(interfaces: set[str]) -> list[str]:
    """Flow tables on these interfaces: what they forward passes by every queue rule, and the guard."""
    return [
        f"nft flowtable {table['family']} {table['table']} {table['name']}"
        for table in ruleset().get("flowtable", [])
        if interfaces.intersection(
            [table["dev"]] if isinstance(table.get("dev"), str) else table.get("dev", [])
        )
    ]


def ruleset() -> Objects:
    """Everything nft lists, by kind; empty when it cannot."""
    listed = run("nft", "-j", "list", "ruleset")
    if not listed.good:
        return {}
    objects: Objects = {}
    for entry in json.loads(listed.output)["nftables"]:
        for kind, value in entry.items():
            objects.setdefault(kind, []).append(value)
    return objects

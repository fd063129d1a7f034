"""Rules of others that stand in the way: they are read and named, never changed."""

import json
from typing import Any

from nfmasq.machine.programs import run

_SOURCE_NAT = {"MASQUERADE", "SNAT", "NETMAP"}


def source_translations(interface: str) -> list[str]:
    """Where else the source of packets leaving by `interface` may be translated, each in a few words."""
    found = []
    objects = ruleset()
    for rule in objects.get("rule", []):
        if _translates(rule) and concerns(rule, {"oif", "oifname"}, interface):
            found.append(f"nft table {rule['family']} {rule['table']} chain {rule['chain']}")
    # nft lists the rules of iptables over nf_tables too. Without -t the legacy program loads no table.
    saved = run("iptables-legacy-save").output + ("" if objects else run("iptables-save", "-t", "nat").output)
    found += [f"iptables {line}" for line in saved.splitlines() if _line_translates(line, interface)]
    return list(dict.fromkeys(found))


def flowtables(interfaces: set[str]) -> list[str]:
    """Flow tables on these interfaces: what they forward passes by every queue rule, and the guard."""
    return [
        f"nft flowtable {table['family']} {table['table']} {table['name']}"
        for table in ruleset().get("flowtable", [])
        if interfaces.intersection(
            [table["dev"]] if isinstance(table.get("dev"), str) else table.get("dev", [])
        )
    ]


def ruleset() -> dict[str, list[dict[str, Any]]]:
    """Everything nft lists, by kind; empty when it cannot."""
    listed = run("nft", "-j", "list", "ruleset")
    if not listed.good:
        return {}
    objects: dict[str, list[dict[str, Any]]] = {}
    for entry in json.loads(listed.output)["nftables"]:
        for kind, value in entry.items():
            objects.setdefault(kind, []).append(value)
    return objects


def _translates(rule: dict[str, Any]) -> bool:
    return any(
        "masquerade" in step or "snat" in step or (step.get("xt") or {}).get("name") in _SOURCE_NAT
        for step in rule.get("expr", [])
    )


def concerns(rule: dict[str, Any], keys: set[str], interface: str) -> bool:
    """May nft's rule concern packets of this interface, looked at by these keys of `meta`?

    What it cannot read it takes for a yes.
    """
    for step in rule.get("expr", []):
        match = step.get("match", {})
        left = match.get("left")
        if not isinstance(left, dict) or left.get("meta", {}).get("key") not in keys:
            continue
        right = match.get("right")
        named = right.get("set", []) if isinstance(right, dict) else [right]
        if any(str(name).startswith("@") for name in named):
            continue
        hit = any(_names(str(name), interface, "*") for name in named)
        if hit != (match.get("op") != "!="):
            return False
    return True


def line_concerns(words: list[str], option: str, interface: str) -> bool:
    """May iptables' rule concern packets of this interface, looked at by "-i" or "-o"?"""
    if option not in words:
        return True
    at = words.index(option)
    return _names(words[at + 1], interface, "+") != (words[at - 1] == "!")


def _line_translates(line: str, interface: str) -> bool:
    words = line.split()
    if words[:1] != ["-A"] or not _SOURCE_NAT.intersection(words):
        return False
    return line_concerns(words, "-o", interface)


def _names(pattern: str, interface: str, wildcard: str) -> bool:
    if pattern.endswith(wildcard):
        return interface.startswith(pattern[:-1])
    return pattern == interface

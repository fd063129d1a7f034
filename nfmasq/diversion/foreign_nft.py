"""Rules of others as `nft -j list ruleset` prints them, read into the form of `foreign_rules`."""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from typing import Any

from nfmasq.diversion import foreign_rules as to
from nfmasq.diversion.foreign_rules import ALL_BITS, XT_ACTIONS, Chain, Condition, Rule, Ruleset

_META = {"oif": "out", "oifname": "out", "iif": "in", "iifname": "in", "skuid": "own", "skgid": "own"}
_ADDRESSES = {"saddr": "source", "daddr": "destination"}
_ACTIONS = {
    **dict.fromkeys(("masquerade", "snat"), to.TRANSLATE),
    **dict.fromkeys(("accept", "drop", "reject"), to.ACCEPT),
    **dict.fromkeys(("dnat", "redirect"), to.LEAD),
    "return": to.RETURN,
    "jump": to.JUMP,
    "goto": to.GOTO,
}
_FAMILIES = {"ip", "inet"}
_MARK = {"meta": {"key": "mark"}}

Objects = dict[str, list[dict[str, Any]]]
"""What nft lists, by kind."""


def read_listed(objects: Objects) -> dict[str, Ruleset]:
    """The tables that see IPv4 packets, by family and name: "ip nat"."""
    tables: dict[str, Ruleset] = {}
    for each in objects.get("chain", []):
        if each["family"] in _FAMILIES:
            table = tables.setdefault(f"{each['family']} {each['table']}", {})
            table[each["name"]] = Chain(each.get("hook", ""), each.get("type", ""))
    for each in objects.get("rule", []):
        if each["family"] in _FAMILIES:
            table = tables.setdefault(f"{each['family']} {each['table']}", {})
            table.setdefault(each["chain"], Chain()).rules.append(_rule(each))
    return tables


def _rule(listed: dict[str, Any]) -> Rule:
    shown = f"nft table {listed['family']} {listed['table']} chain {listed['chain']}"
    conditions: list[Condition] = []
    action, writes = to.OTHER, 0
    targets: tuple[str, ...] = ()
    for step in listed.get("expr", []):
        for kind, body in step.items():
            if kind == "match":
                conditions.append(_condition(body))
            elif kind in _ACTIONS:
                action = _ACTIONS[kind]
                targets = (body["target"],) if action in {to.JUMP, to.GOTO} else ()
            elif kind == "vmap":
                conditions.append(Condition(""))
                action, targets = to.JUMP, tuple(_jumped_to(body))
            elif kind == "mangle" and body.get("key") == _MARK:
                writes |= ALL_BITS & ~_kept(body.get("value"))
            elif kind == "xt" and (body or {}).get("name") in XT_ACTIONS:
                action = XT_ACTIONS[body["name"]]
            elif kind == "xt" and (body or {}).get("type") == "match":
                conditions.append(Condition(""))
    return Rule(shown, tuple(conditions), action, targets, writes)


def _condition(match: dict[str, Any]) -> Condition:
    left, right, negated = match.get("left"), match.get("right"), match.get("op") == "!="
    if not isinstance(left, dict):
        return Condition("")
    if left == _MARK or (isinstance(left.get("&"), list) and left["&"][0] == _MARK):
        mask = ALL_BITS if left == _MARK else left["&"][1]
        numbers = tuple((value, mask) for value in _members(right) if isinstance(value, int))
        whole = numbers if isinstance(mask, int) and len(numbers) == len(_members(right)) else None
        return Condition("mark", whole, negated)
    key = _META.get(left.get("meta", {}).get("key", ""))
    if key:
        names = tuple(value for value in _members(right) if isinstance(value, str) and value[0] != "@")
        return Condition(key, names if len(names) == len(_members(right)) else None, negated)
    payload = left.get("payload", {})
    key = _ADDRESSES.get(payload.get("field", "")) if payload.get("protocol") == "ip" else None
    return Condition(key, _networks(right), negated) if key else Condition("")


def _members(right: Any) -> list[Any]:
    """One value, or those of an anonymous set."""
    return right["set"] if isinstance(right, dict) and isinstance(right.get("set"), list) else [right]


def _networks(right: Any) -> tuple[IPv4Network, ...] | None:
    """Networks that a match compares with; None where a named set holds them, or anything odd."""
    found: list[IPv4Network] = []
    with suppress(ValueError, KeyError, TypeError):
        for value in _members(right):
            if isinstance(value, dict) and "range" in value:
                first, last = map(IPv4Address, value["range"])
                found += summarize_address_range(first, last)
            elif isinstance(value, dict):
                found.append(IPv4Network((value["prefix"]["addr"], value["prefix"]["len"])))
            else:
                found.append(IPv4Network(value))
        return tuple(found)
    return None


def _jumped_to(vmap: dict[str, Any]) -> Iterator[str]:
    """The chains that a verdict map's anonymous set leads to."""
    data = vmap.get("data")
    for pair in data.get("set", []) if isinstance(data, dict) else []:
        for verdict in pair[1:]:
            for kind in ("jump", "goto"):
                if kind in verdict:
                    yield verdict[kind]["target"]


def _kept(value: Any) -> int:
    """The bits of the mark that an assignment leaves as they were."""
    if value == _MARK:
        return ALL_BITS
    if isinstance(value, dict):
        for operator in ("&", "|", "^"):
            operands = value.get(operator)
            if isinstance(operands, list) and isinstance(operands[1], int):
                bits = operands[1]
                return _kept(operands[0]) & (bits if operator == "&" else ALL_BITS & ~bits)
    return 0

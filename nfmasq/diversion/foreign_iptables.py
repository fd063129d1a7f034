"""Rules of others as iptables-save prints them, read into the form of `foreign_rules`."""

import shlex
from collections.abc import Sequence
from ipaddress import IPv4Network

from nfmasq.diversion import foreign_rules as to
from nfmasq.diversion.foreign_rules import ALL_BITS, XT_ACTIONS, Chain, Condition, Rule, Ruleset

_ACTIONS = {**XT_ACTIONS, **dict.fromkeys(("ACCEPT", "DROP", "REJECT"), to.ACCEPT), "RETURN": to.RETURN}
_NETWORKS = {"-s": "source", "-d": "destination"}
_INTERFACES = {"-i": "in", "-o": "out"}


def read_saved(text: str) -> dict[str, Ruleset]:
    """The tables by name. text: all that the program printed."""
    tables: dict[str, Ruleset] = {}
    table: Ruleset = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("*"):
            name = line[1:]
            table = tables.setdefault(name, {})
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            table[chain] = Chain("" if policy == "-" else chain.lower(), name)
        elif line.startswith("-A "):
            words = _words(line)
            table.setdefault(words[1], Chain()).rules.append(_rule(f"iptables -t {name} {line}", words))
    return tables


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a comment with an odd quote
        return line.split()


def _rule(shown: str, words: Sequence[str]) -> Rule:
    at = next((at for at, word in enumerate(words) if word in {"-j", "-g"}), len(words))
    target = words[at + 1] if at + 1 < len(words) else ""
    action = _ACTIONS.get(target, to.OTHER)
    targets = () if action or not target else (target,)
    if targets:
        action = to.GOTO if words[at] == "-g" else to.JUMP
    return Rule(shown, _conditions(words[2:at]), action, targets, _written(target, words[at:]))


def _conditions(words: Sequence[str]) -> tuple[Condition, ...]:
    """The matches before the target. A module's match that is not read is one that may or may not fit."""
    found = []
    for at, word in enumerate(words):
        negated = at > 0 and words[at - 1] == "!"
        value = words[at + 1] if at + 1 < len(words) else ""
        if word in _NETWORKS:
            found.append(Condition(_NETWORKS[word], _network(value), negated))
        elif word in _INTERFACES:
            pattern = value[:-1] + "*" if value.endswith("+") else value
            found.append(Condition(_INTERFACES[word], (pattern,), negated))
        elif word == "--mark" and "connmark" not in words[:at]:
            mark = _number(value)
            found.append(Condition("mark", (mark,), negated))
        elif word in {"--uid-owner", "--gid-owner"}:
            found.append(Condition("own"))
        elif word == "-p" or (word == "-m" and value not in {"comment", "mark", "owner"}):
            found.append(Condition(""))
    return tuple(found)


def _network(value: str) -> tuple[IPv4Network, ...] | None:
    """The network that a rule names; None for a mask with holes, or what else cannot be read."""
    try:
        return (IPv4Network(value, strict=False),)
    except ValueError:
        return None


def _written(target: str, words: Sequence[str]) -> int:
    """The bits of the mark that a target may change."""
    if target == "CONNMARK" and "--restore-mark" in words:
        masks = [_number(words[at + 1])[0] for at, word in enumerate(words) if word in {"--nfmask", "--mask"}]
        return masks[0] if masks else ALL_BITS
    if target != "MARK":
        return 0
    for at, word in enumerate(words):
        if word in {"--set-mark", "--set-xmark"}:
            value, mask = _number(words[at + 1])
            return value | mask
        if word in {"--or-mark", "--xor-mark"}:
            return int(words[at + 1], 0)
        if word == "--and-mark":
            return ALL_BITS & ~int(words[at + 1], 0)
    return ALL_BITS


def _number(text: str) -> tuple[int, int]:
    """A mark and its mask."""
    value, _, mask = text.partition("/")
    return int(value, 0), int(mask, 0) if mask else ALL_BITS

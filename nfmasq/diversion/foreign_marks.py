"""Rules of others that overwrite the mark by which a hairpinned packet is known in its second pass.

The rules are read and named, never changed. Only rules between the two passes count, except rules that leave
marked packets alone, or match an interface by which no hairpinned packet comes in.
"""

from typing import Any

from nfmasq.diversion.foreign import concerns, line_concerns, ruleset
from nfmasq.machine.programs import run

_HOOKS = {"prerouting", "forward", "postrouting"}
_BESIDE = {"INPUT", "OUTPUT"}
_UNMARKED = {"0", "0x0", "0x0/0xffffffff"}


def mark_changes(internal: set[str]) -> list[str]:
    """What may take the mark from packets that came in by these interfaces, each in a few words."""
    found = [f"iptables {line}" for line in _iptables_lines() if _line_changes_marks(line.split(), internal)]
    objects = ruleset()
    chains = {(each["family"], each["table"], each["name"]): each for each in objects.get("chain", [])}
    for rule in objects.get("rule", []):
        chain = chains.get((rule["family"], rule["table"], rule["chain"]), {})
        # A chain without a hook may be jumped to from anywhere.
        if chain.get("hook", "prerouting") in _HOOKS and _changes_marks(rule, internal):
            found.append(f"nft table {rule['family']} {rule['table']} chain {rule['chain']}")
    return list(dict.fromkeys(found))


def _iptables_lines() -> list[str]:
    """The rules of others in raw and mangle. Without -t no program makes a table by listing it."""
    lines = []
    for program in ("iptables-save", "iptables-legacy-save"):
        table = ""
        for line in run(program).output.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith("-A ") and table in {"raw", "mangle"}:
                lines.append(line)
    return lines


def _line_changes_marks(words: list[str], internal: set[str]) -> bool:
    following = dict(zip(words, [*words[1:], ""], strict=True))
    restores = following.get("-j") == "CONNMARK" and "--restore-mark" in words
    if words[1] in _BESIDE or not (restores or following.get("-j") == "MARK"):
        return False
    if following.get("--mark") in _UNMARKED and words[words.index("--mark") - 1] != "!":
        return False
    return any(line_concerns(words, "-i", interface) for interface in internal)


def _changes_marks(rule: dict[str, Any], internal: set[str]) -> bool:
    for step in rule.get("expr", []):
        if _is_the_mark(step.get("mangle", {}).get("key")):
            return any(concerns(rule, {"iif", "iifname"}, interface) for interface in internal)
        match = step.get("match", {})
        if _is_the_mark(match.get("left")) and match.get("right") == 0 and match.get("op") != "!=":
            return False
    return False


def _is_the_mark(expression: object) -> bool:
    return expression == {"meta": {"key": "mark"}}

"""Rules of others that deal with the bit of the mark by which a hairpinned packet is known.

The rules are read and named, never changed. Of netfilter's rules only those between the two passes count, if
they write the bit of a packet that bears it, or look for it by a mask of their own. Of the routing rules
those count that would route such a packet another way than one without the bit. A mark without a mask is
compared whole: that is common, and no bit is free of it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from nfmasq.diversion.backend import DEFAULT_MARK
from nfmasq.diversion.foreign_rules import ALL_BITS, Packets, Rule, reads, used_bits
from nfmasq.diversion.foreign_tables import Others, read_others
from nfmasq.machine.programs import run

_HOOKS = {"prerouting", "forward", "postrouting"}


@dataclass
class Marks:
    """What others do with marks. writing, reading: rules that touch the bit; free: an unused bit, or 0."""

    writing: list[str] = field(default_factory=list)
    reading: list[str] = field(default_factory=list)
    free: int = 0


def mark_changes(internal: set[str], bit: int = DEFAULT_MARK) -> list[str]:
    """What may write the bit of packets that came in by these interfaces, each in a few words."""
    return marks(internal, bit).writing


def marks(internal: Iterable[str], bit: int = DEFAULT_MARK, others: Others | None = None) -> Marks:
    """What others do with this bit of packets that came in by these interfaces, and which bit is free."""
    found = Marks()
    used = 0
    packets = Packets(into=tuple(internal), mark=bit)
    for table in (others or read_others()).tables("raw", "mangle", "nat", "filter"):
        for chain in table.values():
            for rule in chain.rules:
                used |= used_bits(rule)
                # A chain without a hook may be jumped to from anywhere.
                if (chain.hook or "prerouting") in _HOOKS:
                    _judge(rule, packets, bit, found)
    for shown, value, mask in _routing_rules():
        used |= value if mask == ALL_BITS else mask
        if (value == 0) != (bit & mask == value):
            found.reading.append(shown)
    found.writing = list(dict.fromkeys(found.writing))
    found.reading = list(dict.fromkeys(found.reading))
    found.free = next((1 << at for at in reversed(range(32)) if not used >> at & 1 and 1 << at != bit), 0)
    return found


def problems(internal: Iterable[str], bit: int, others: Others | None = None) -> list[str]:
    """What touches the bit, a line each with the remedy."""
    found = marks(internal, bit, others)
    remedy = f"set nat.mark = {found.free:#x}" if found.free else "give those rules masks"
    return [
        *(
            f"{rule} overwrites {bit:#x} in the mark of hairpinned packets; {remedy}"
            for rule in found.writing
        ),
        *(f"{rule} looks for {bit:#x}, the mark of hairpinned packets; {remedy}" for rule in found.reading),
    ]


def _judge(rule: Rule, packets: Packets, bit: int, found: Marks) -> None:
    ours = any(target.startswith("nfmasq") for target in rule.targets)
    if ours or packets.match(rule) is False:
        return
    if rule.writes & bit:
        found.writing.append(rule.shown)
    elif reads(rule, bit):
        found.reading.append(rule.shown)


def _routing_rules() -> list[tuple[str, int, int]]:
    """The routing rules that ask for a mark: in a few words, value and mask."""
    listed = run("ip", "-j", "rule")
    if not listed.good:
        return []
    rules = []
    for rule in json.loads(listed.output or "[]"):
        if "fwmark" in rule:
            value, mask = int(rule["fwmark"], 0), int(rule.get("fwmask", hex(ALL_BITS)), 0)
            shown = rule["fwmark"] + (f"/{rule['fwmask']}" if "fwmask" in rule else "")
            rules.append((f"ip rule fwmark {shown} lookup {rule.get('table', '?')}", value, mask))
    return rules

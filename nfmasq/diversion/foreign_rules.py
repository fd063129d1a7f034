"""Rules of others in one form, whichever program shows them, and what they do to packets of ours.

A rule's conditions are judged for all packets of a kind together. The answer is yes (each of them matches),
no (none does) or None (some may). A condition that cannot be read is None: a rule is taken for harmless only
where it surely is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network

ALL_BITS = 0xFFFFFFFF

TRANSLATE, LEAD, ACCEPT, RETURN, JUMP, GOTO, OTHER = (
    *("translate", "lead", "accept", "return", "jump", "goto"),
    "",
)
"""translate: gives packets another source. lead: gives packets another destination."""

XT_ACTIONS = {
    **dict.fromkeys(("MASQUERADE", "SNAT", "NETMAP"), TRANSLATE),
    **dict.fromkeys(("DNAT", "REDIRECT"), LEAD),
}
"""What the targets of iptables do, which nft lists too."""


@dataclass(frozen=True)
class Condition:
    """One match. key: out, in, source, destination, mark, router's own packets (own), or anything else ("").

    values: of these one must fit: interface names (a "*" at the end stands for any ending), networks, or
    marks as (value, mask). None: they cannot be read.
    """

    key: str
    values: tuple[str, ...] | tuple[IPv4Network, ...] | tuple[tuple[int, int], ...] | None = None
    negated: bool = False


@dataclass(frozen=True)
class Rule:
    """shown: how to name it to people; action: what becomes of a packet that matches; targets: of a jump;
    writes: bits of the mark it may change."""

    shown: str
    conditions: tuple[Condition, ...] = ()
    action: str = OTHER
    targets: tuple[str, ...] = ()
    writes: int = 0


@dataclass
class Chain:
    """hook: where the kernel calls it, or "" if only other chains do. kind: "nat", or anything else."""

    hook: str = ""
    kind: str = ""
    rules: list[Rule] = field(default_factory=list)


Ruleset = dict[str, Chain]
"""The chains of one table by name. Jumps lead to chains of the same table."""


@dataclass(frozen=True)
class Packets:
    """The packets that are judged. An empty field: whatever it may be.

    out, into: interfaces they leave and came in by, one of them each packet; sources: where they come from;
    never_to: where they do not go; mark: None if unknown.
    """

    out: tuple[str, ...] = ()
    into: tuple[str, ...] = ()
    sources: tuple[IPv4Network, ...] = ()
    never_to: tuple[IPv4Network, ...] = ()
    mark: int | None = None

    def match(self, rule: Rule) -> bool | None:
        """Do they match the rule?"""
        answers = [self._meet(condition) for condition in rule.conditions]
        if False in answers:
            return False
        return None if None in answers else True

    def _meet(self, condition: Condition) -> bool | None:
        if condition.key == "own":
            return condition.negated
        if condition.values is None:
            return None
        answer = self._among(condition)
        return answer if answer is None else answer != condition.negated

    def _among(self, condition: Condition) -> bool | None:
        values = condition.values or ()
        if condition.key in {"out", "in"}:
            here = self.out if condition.key == "out" else self.into
            return _all([any(_names(str(value), name) for value in values) for name in here])
        if condition.key == "mark" and self.mark is not None:
            return any(self.mark & mask == value for value, mask in _marks(values))
        if condition.key == "source":
            networks = list(_networks(values))
            return _all([_within(source, networks) for source in self.sources])
        if condition.key == "destination":
            inner = [any(each.subnet_of(never) for never in self.never_to) for each in _networks(values)]
            return False if inner and all(inner) else None
        return None


def translations(chains: Ruleset, packets: Packets) -> list[Rule]:
    """The rules that may translate the source of these packets, by the chains' jumps."""
    found: list[Rule] = []
    for chain in chains.values():
        if chain.hook == "postrouting" and chain.kind == "nat":
            _walk(chains, chain, packets, found, ())
    return found


def _walk(
    chains: Ruleset, chain: Chain, packets: Packets, found: list[Rule], before: tuple[int, ...]
) -> bool:
    """Follow the packets through a chain; True when surely none of them leaves it for the next rule."""
    if id(chain) in before:
        return False
    for rule in chain.rules:
        answer = packets.match(rule)
        if answer is False:
            continue
        if rule.action == TRANSLATE:
            found.append(rule)
        ended = rule.action in {TRANSLATE, ACCEPT}
        for name in rule.targets:
            inner = chains.get(name, Chain())
            ended = _walk(chains, inner, packets, found, (*before, id(chain))) and len(rule.targets) == 1
        if answer and ended:
            return True
        if answer and rule.action in {RETURN, GOTO}:
            return False
    return False


def reads(rule: Rule, bit: int) -> bool:
    """Does the rule look for this bit of the mark, by a mask of its own?"""
    for condition in rule.conditions:
        for value, mask in _marks(condition.values or ()) if condition.key == "mark" else ():
            if mask != ALL_BITS and mask & bit and (value & bit or condition.negated):
                return True
    return False


def used_bits(rule: Rule) -> int:
    """The bits of the mark that the rule deals with; whole marks by the bits they set."""
    bits = 0 if rule.writes == ALL_BITS else rule.writes
    for condition in rule.conditions:
        for value, mask in _marks(condition.values or ()) if condition.key == "mark" else ():
            bits |= value if mask == ALL_BITS else mask
    return bits


def _all(answers: list[bool | None]) -> bool | None:
    """One answer for all: None when they differ, or when there is none."""
    return answers[0] if answers and all(answer is answers[0] for answer in answers) else None


def _within(source: IPv4Network, networks: list[IPv4Network]) -> bool | None:
    if any(source.subnet_of(network) for network in networks):
        return True
    return None if any(source.overlaps(network) for network in networks) else False


def _names(pattern: str, interface: str) -> bool:
    return interface.startswith(pattern[:-1]) if pattern.endswith("*") else pattern == interface


def _networks(values: Iterable[object]) -> Iterator[IPv4Network]:
    return (value for value in values if isinstance(value, IPv4Network))


def _marks(values: Iterable[object]) -> Iterator[tuple[int, int]]:
    return (value for value in values if isinstance(value, tuple))

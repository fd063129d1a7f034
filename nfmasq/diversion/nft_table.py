"""A table of ours as nft reads it, and what changes it into another one without taking its hooks off.

To replace a chain that has a hook, the kernel drops every packet that waits in any netfilter queue. So a
table replaces another only if it must. Where only elements of sets and rules of chains without a hook differ,
these alone change, in one transaction.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PART = re.compile(r"^\t(?:chain|set) (\S+) \{\n(.*?)^\t\}", re.MULTILINE | re.DOTALL)
"""A chain or a set in nft's listing of a table, a rule a line."""


@dataclass(frozen=True)
class NftSet:
    """A set of intervals. kind: nft's type of its elements, such as "ipv4_addr"."""

    name: str
    kind: str
    elements: tuple[str, ...]

    @property
    def text(self) -> str:
        line = f"\t\telements = {{ {', '.join(self.elements)} }}\n" if self.elements else ""
        return f"\tset {self.name} {{\n\t\ttype {self.kind}; flags interval\n{line}\t}}\n"


@dataclass(frozen=True)
class NftChain:
    """A chain and its rules. hook: where the kernel calls it, or "" if only other chains do."""

    name: str
    hook: str
    rules: tuple[str, ...]

    @property
    def text(self) -> str:
        lines = (self.hook, *self.rules) if self.hook else self.rules
        body = "".join(f"\t\t{line}\n" for line in lines)
        return f"\tchain {self.name} {{\n{body}\t}}\n"


@dataclass(frozen=True)
class NftTable:
    """A whole table of family ip. Chains without a hook come before the chains that jump to them.

    counters: names of the counters that rules refer to. A table laid anew begins to count at 0.
    """

    name: str
    sets: tuple[NftSet, ...]
    chains: tuple[NftChain, ...]
    counters: tuple[str, ...] = ()

    def anew(self) -> str:
        """A transaction that puts it in place of the one before, if any, with no moment in between."""
        sets, chains = ("".join(part.text for part in some) for some in (self.sets, self.chains))
        counters = "".join(f"\tcounter {name} {{\n\t}}\n" for name in self.counters)
        gone = f"add table ip {self.name}\ndelete table ip {self.name}\n"
        return f"{gone}table ip {self.name} {{\n{counters}{sets}{chains}}}\n"

    def is_whole_in(self, listed: str) -> bool:
        """Has the kernel's listing every rule of this table, and elements in each set that has any?

        Another program may have emptied a chain between the laying and the listing.
        """
        there = dict(_PART.findall(listed))
        return all(
            len(_rules(there.get(chain.name, ""))) == len(chain.rules) for chain in self.chains
        ) and all("elements = {" in there.get(each.name, "") for each in self.sets if each.elements)

    def since(self, before: "NftTable") -> str | None:
        """A transaction that makes it out of `before`, or None if that takes a table of its own."""
        if _frame(self) != _frame(before):
            return None
        sets = zip(before.sets, self.sets, strict=True)
        chains = zip(before.chains, self.chains, strict=True)
        changes = [line for old, new in sets for line in _moved(self.name, old, new)]
        for chain, new in chains:
            if chain != new:
                changes.append(f"flush chain ip {self.name} {new.name}")
                changes += [f"add rule ip {self.name} {new.name} {rule}" for rule in new.rules]
        return "".join(f"{line}\n" for line in changes)


def interval_set(name: str, kind: str, members: Iterable[object]) -> NftSet:
    """A set of these members, which may be none."""
    return NftSet(name, kind, tuple(map(str, members)))


def address_set(name: str, members: Iterable[object]) -> NftSet:
    """A set of addresses or networks, which may be none."""
    return interval_set(name, "ipv4_addr", members)


def _rules(chain: str) -> list[str]:
    """The rules of a chain of a listing, without the line of its hook."""
    return [line for line in chain.splitlines() if not line.startswith("\t\ttype ")]


def _frame(table: NftTable) -> tuple[object, ...]:
    """What of a table cannot be changed in place."""
    sets = tuple((each.name, each.kind) for each in table.sets)
    return table.name, table.counters, sets, tuple(each if each.hook else each.name for each in table.chains)


def _moved(table: str, old: NftSet, new: NftSet) -> Iterator[str]:
    """What stays in a set is not touched; what goes makes room before anything comes."""
    for verb, some, others in (("delete", old, new), ("add", new, old)):
        kept = set(others.elements)
        elements = [element for element in some.elements if element not in kept]
        if elements:
            yield f"{verb} element ip {table} {new.name} {{ {', '.join(elements)} }}"

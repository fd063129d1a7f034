"""The tables of others, read once for all that is asked of them.

nft lists the tables of iptables over nf_tables too, but not what every rule there asks. So those are read as
iptables prints them. A program that can have nothing to print is not started.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from nfmasq.diversion.foreign_iptables import read_saved
from nfmasq.diversion.foreign_nft import Objects, read_listed
from nfmasq.diversion.foreign_rules import Ruleset
from nfmasq.machine.legacy_tables import tables_present
from nfmasq.machine.programs import run

OURS = "nfmasq"
"""How the names of all our tables and chains begin."""

_BY_IPTABLES = frozenset({"raw", "mangle", "nat", "filter", "security"})


@dataclass(frozen=True)
class Others:
    """Tables of iptables over nf_tables and of legacy iptables, by name; all that nft has besides."""

    by_iptables: dict[str, Ruleset] = field(default_factory=dict)
    legacy: dict[str, Ruleset] = field(default_factory=dict)
    by_nft: tuple[Ruleset, ...] = ()

    def tables(self, *kinds: str) -> list[Ruleset]:
        """The tables of iptables by these names, and all that nft has besides."""
        saved = (
            tables[kind] for tables in (self.by_iptables, self.legacy) for kind in kinds if kind in tables
        )
        return [*saved, *self.by_nft]


def read_others() -> Others:
    """The tables as they are now. Starts one to three programs. What cannot be read is left out."""
    objects = listed()
    by_iptables = _saved_over_nft(objects)
    known = {f"ip {name}" for name in by_iptables}
    by_nft = tuple(
        table
        for name, table in read_listed(objects).items()
        if name not in known and not name.removeprefix("ip ").startswith(OURS)
    )
    return Others(by_iptables, _saved_by_legacy(), by_nft)


def _saved_over_nft(objects: Objects) -> dict[str, Ruleset]:
    there = {table["name"] for table in objects.get("table", ()) if table["family"] == "ip"}
    if objects and there.isdisjoint(_BY_IPTABLES):
        return {}
    saved = run("iptables-nft-save")
    text = (run("iptables-save") if saved.code == 127 else saved).output
    return read_saved(text) if "nf_tables" in text else {}


def _saved_by_legacy() -> dict[str, Ruleset]:
    """Without -t the legacy program loads no table."""
    try:
        there: Iterable[str] = tables_present()
    except OSError:
        there = _BY_IPTABLES
    return read_saved(run("iptables-legacy-save").output) if there else {}


def listed() -> Objects:
    """Everything nft lists, by kind; empty when it cannot."""
    answer = run("nft", "-j", "list", "ruleset")
    if not answer.good:
        return {}
    objects: Objects = {}
    for entry in json.loads(answer.output)["nftables"]:
        for kind, value in entry.items():
            objects.setdefault(kind, []).append(value)
    return objects

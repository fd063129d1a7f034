"""The diversion by iptables `-j NFQUEUE`, for a kernel without nft's `queue` expression.

Our chains lie in the raw and mangle tables, and in nat where a default host comes after rules of others.
Each table changes in one transaction; `iptables_rules` has the rules. A packet we divert skips what follows
our jump in the kernel's chain. So our jumps stand last, and a rule that others append is a change: our jumps
move behind it. An ACCEPT or RETURN at the end of the chain may stay behind our jumps, where it changes
nothing. Limit: what an ACCEPT of others takes before our jumps is not diverted.

What is stored: our lines of `iptables-save` as they were right after we installed them, and the rules they
were made of. Only install() and remove() write them; present() compares. Both kinds of iptables (over
nf_tables, and legacy) are served.
"""

from collections.abc import Iterable, Iterator, Sequence

from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.iptables_rules import (
    CHAINS,
    GUARD_CHAIN,
    LOCAL_SOCKET,
    SHARED_HOOKS,
    chain_rules,
    jumps,
    tables,
)
from nfmasq.machine.programs import NEEDS_PRIVILEGE, Outcome, run

_PROBE_CHAIN = "nfmasq-probe"


_KINDS = ("iptables", "iptables-legacy", "iptables-nft")
"""The kind in use, and both there are: an earlier process may have used another one."""


def restore(table: str, lines: Iterable[str], kind: str = _KINDS[0]) -> Outcome:
    """Put a few changes to one table through in one transaction."""
    return run(f"{kind}-restore", "--noflush", "-w", script="\n".join([f"*{table}", *lines, "COMMIT", ""]))


def saved(table: str, *options: str) -> list[str]:
    """One table as iptables-save prints it; nothing when it cannot be read."""
    return run("iptables-save", "-t", table, *options).output.splitlines()


def rules(table: str) -> list[str]:
    """The rules of one table, as `-A` lines."""
    return [line for line in saved(table) if line.startswith("-A ")]


def leads_to(line: str, chains: Iterable[str]) -> bool:
    """Does this rule jump to one of the chains, from a chain that is none of them?"""
    words = line.split()
    targets = [words[at + 1] for at, word in enumerate(words[:-1]) if word in {"-j", "-g"}]
    chains = set(chains)
    return words[1] not in chains and bool(chains.intersection(targets))


def without(lines: Iterable[str], chains: Iterable[str]) -> list[str]:
    """The changes that take out every jump to the chains from elsewhere."""
    return ["-D " + line.removeprefix("-A ") for line in lines if leads_to(line, chains)]


def last_place(lines: Sequence[str], hook: str, chains: Iterable[str]) -> int:
    """The number of a rule behind all others of this chain of the kernel, had it no jump to the chains."""
    chains = set(chains)
    others = [line for line in lines if line.split()[1] == hook and not leads_to(line, chains)]
    return 1 + max((at for at, line in enumerate(others, 1) if not _only_ends(line)), default=0)


def _only_ends(line: str) -> bool:
    """Does the rule do nothing but end the chain? At its end that changes nothing."""
    return line.split()[-2:] in (["-j", "ACCEPT"], ["-j", "RETURN"])


def _is_last(lines: Sequence[str], hook: str, chains: Iterable[str]) -> bool:
    """Does no rule of others stand behind our jumps that a diverted packet would skip?"""
    there = [line for line in lines if line.split()[1] == hook]
    ours = [at for at, line in enumerate(there) if leads_to(line, chains)]
    return all(
        _only_ends(line) or leads_to(line, (*chains, GUARD_CHAIN)) for line in there[min(ours, default=0) :]
    )


def erase(table: str, chains: Iterable[str]) -> None:
    """Take chains of ours and all jumps to them out, of each kind.

    Raises DiversionUnavailable if they stay.
    """
    for kind in _KINDS:
        # Without -t the legacy program loads no table.
        loads = kind == _KINDS[0] and table != "nat"
        before = saved(table) if loads else _section(run(f"{kind}-save").output, table)
        _erase(table, tuple(chains), before, kind)


def _section(text: str, table: str) -> list[str]:
    """The lines of one table among all that a program saved."""
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        inside = line == f"*{table}" if line.startswith("*") else inside
        lines += [line] if inside else []
    return lines


def _erase(table: str, chains: Sequence[str], before: Sequence[str], kind: str) -> None:
    found = [chain for chain in chains if any(line.startswith(f":{chain} ") for line in before)]
    if not found:
        return
    emptied = [f":{chain} - [0:0]" for chain in found]
    jumps = without((line for line in before if line.startswith("-A ")), found)
    gone = restore(table, [*emptied, *jumps, *(f"-X {chain}" for chain in found)], kind)
    if not gone.good:
        raise DiversionUnavailable(
            f"iptables did not remove {', '.join(chains)} from {table}: {gone.complaint}"
        )


class IptablesDiversion:
    """Rules by iptables-restore."""

    name = "iptables"

    def __init__(self) -> None:
        self._installed: list[str] | None = None
        self._made_of: dict[str, list[str]] = {}

    @property
    def stands_in(self) -> frozenset[str]:
        """The kernel's tables with rules of ours."""
        return frozenset(f"ip {table}" for table in self._made_of)

    @staticmethod
    def refusal() -> str:
        """Why this kernel or machine cannot, with the remedy; "" when it can."""
        # Two transactions: legacy iptables resolves a chain made and deleted in one without the kernel.
        tried = restore(
            "raw",
            [
                f":{_PROBE_CHAIN} - [0:0]",
                f"-A {_PROBE_CHAIN} -p tcp {LOCAL_SOCKET}",
                f"-A {_PROBE_CHAIN} -m addrtype --src-type LOCAL -j NFQUEUE --queue-balance 65534:65535",
            ],
        )
        if tried.good:
            erase("raw", [_PROBE_CHAIN])
            return ""
        if tried.not_permitted:
            return NEEDS_PRIVILEGE
        if tried.code == 127:
            return "iptables is not installed; apt install iptables"
        return (
            f"the kernel does not take the rules ({tried.complaint}); use a kernel with "
            "CONFIG_NETFILTER_XT_TARGET_NFQUEUE, CONFIG_NETFILTER_XT_MATCH_SOCKET and "
            "CONFIG_NETFILTER_XT_MATCH_ADDRTYPE"
        )

    def install(self, plan: DiversionPlan) -> None:
        """Lay the rules, a transaction a table, inbound first: what is not diverted yet the guard drops.

        Of many networks the rules hold few. So another plan may have the same rules, which stay.
        """
        wanted = {table: _changed_lines(plan, table) for table in tables(plan)}
        if wanted == self._made_of and self.present():
            return
        self._made_of = {}
        for table, chains in CHAINS.items():
            if table not in wanted:
                erase(table, chains)
                continue
            laid = restore(table, _changes(plan, table, rules(table)))
            if not laid.good:
                raise DiversionUnavailable(f"iptables did not take the rules for {table}: {laid.complaint}")
        there = _ours({table: rules(table) for table in wanted})
        whole = sum(map(len, wanted.values()))
        # Flushed between laying and reading: nothing counts as installed, and the next look lays it.
        self._installed = there if len(there) == whole else None
        self._made_of = wanted

    def remove(self) -> None:
        """Take our chains and jumps out, outbound first: what is then not diverted the guard drops."""
        self._installed = None
        self._made_of = {}
        for table, chains in reversed(CHAINS.items()):
            erase(table, chains)

    def present(self) -> bool:
        """Are our lines as they were when installed, and behind the rules of others?"""
        if self._installed is None:
            return False
        lines = {table: rules(table) for table in self._made_of}
        return _ours(lines) == self._installed and all(
            _is_last(lines[table], hook, CHAINS[table]) for table in lines for hook in SHARED_HOOKS[table]
        )


def _changes(plan: DiversionPlan, table: str, before: Sequence[str]) -> Iterator[str]:
    """What makes one table that of the plan. before: its rules.

    The guard without nft shares mangle POSTROUTING and must stay behind us, or nothing reaches us.
    """
    chains = CHAINS[table]
    ours = (*chains, GUARD_CHAIN)
    yield from (f":{chain} - [0:0]" for chain in chains)
    yield from without(before, ours)
    yield from (f"-A {chain} {rule}" for chain in chains for rule in chain_rules(plan)[chain])
    for hook, wanted in jumps(plan)[table].items():
        guard = [line.split(maxsplit=2)[2] for line in before if leads_to(line, [GUARD_CHAIN])]
        first = last_place(before, hook, ours) if hook in SHARED_HOOKS[table] else 1
        for at, rule in enumerate((*wanted, *(guard if hook == "POSTROUTING" else ())), first):
            yield f"-I {hook} {at} {rule}"


def _changed_lines(plan: DiversionPlan, table: str) -> list[str]:
    """The rules of one table that are ours, of the plan."""
    return [line for line in _changes(plan, table, ()) if line.startswith(("-A ", "-I "))]


def _ours(lines: dict[str, list[str]]) -> list[str]:
    """Our lines of these tables' rules, in the kernel's order."""
    return [
        line
        for table, there in lines.items()
        for line in there
        if line.split()[1] in CHAINS[table] or leads_to(line, CHAINS[table])
    ]

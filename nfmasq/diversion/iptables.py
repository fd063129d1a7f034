"""The diversion by iptables `-j NFQUEUE`, for a kernel without nft's `queue` expression.

Our chains lie in the raw and mangle tables, each of which changes in one transaction; `iptables_rules` has
their rules. Inbound our jumps come first, as nfmasq sits outside everything else. Outbound they come
last, so that the administrator's rules still see internal addresses; a packet they divert skips what follows.

What is stored: our lines of `iptables-save` as they were right after we installed them. Only install() and
remove() write them; present() compares. Both kinds of iptables (over nf_tables, and legacy) are served.
"""

from collections.abc import Iterable

from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.iptables_rules import CHAINS, GUARD_CHAIN, LOCAL_SOCKET, chain_rules, jumps
from nfmasq.machine.programs import NEEDS_PRIVILEGE, Outcome, run

_PROBE_CHAIN = "nfmasq-probe"


def restore(table: str, lines: Iterable[str]) -> Outcome:
    """Put a few changes to one table through in one transaction."""
    return run("iptables-restore", "--noflush", "-w", script="\n".join([f"*{table}", *lines, "COMMIT", ""]))


def saved(table: str) -> list[str]:
    """One table as iptables-save prints it; nothing when it cannot be read."""
    return run("iptables-save", "-t", table).output.splitlines()


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


def erase(table: str, chains: Iterable[str]) -> None:
    """Take chains of ours and all jumps to them out, if there. Raises DiversionUnavailable if they stay."""
    before = saved(table)
    found = [chain for chain in chains if any(line.startswith(f":{chain} ") for line in before)]
    if not found:
        return
    emptied = [f":{chain} - [0:0]" for chain in found]
    jumps = without((line for line in before if line.startswith("-A ")), found)
    gone = restore(table, [*emptied, *jumps, *(f"-X {chain}" for chain in found)])
    if not gone.good:
        raise DiversionUnavailable(
            f"iptables did not remove {', '.join(chains)} from {table}: {gone.complaint}"
        )


class IptablesDiversion:
    """Rules by iptables-restore."""

    name = "iptables"

    def __init__(self) -> None:
        self._installed: list[str] | None = None

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
        """Lay the rules, a transaction a table, inbound first: what is not diverted yet the guard drops."""
        for table, chains in CHAINS.items():
            before = rules(table)
            # The guard's fallback shares mangle POSTROUTING and must stay behind us, or nothing reaches us.
            guard = [line for line in before if leads_to(line, [GUARD_CHAIN])]
            laid = restore(
                table,
                [
                    *(f":{chain} - [0:0]" for chain in chains),
                    *without(before, [*chains, GUARD_CHAIN]),
                    *(f"-A {chain} {rule}" for chain in chains for rule in chain_rules(plan)[chain]),
                    *jumps(plan)[table],
                    *guard,
                ],
            )
            if not laid.good:
                raise DiversionUnavailable(f"iptables did not take the rules for {table}: {laid.complaint}")
        self._installed = _ours()

    def remove(self) -> None:
        """Take our chains and jumps out, outbound first: what is then not diverted the guard drops."""
        self._installed = None
        for table, chains in reversed(CHAINS.items()):
            erase(table, chains)

    def present(self) -> bool:
        """Are our lines as they were when installed?"""
        return self._installed is not None and _ours() == self._installed


def _ours() -> list[str]:
    """Our lines of both tables, in the kernel's order."""
    return [
        line
        for table, chains in CHAINS.items()
        for line in rules(table)
        if line.split()[1] in chains or leads_to(line, chains)
    ]

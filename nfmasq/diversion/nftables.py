"""The diversion by nft's `queue` expression, in a table of its own, `ip nfmasq`.

What is stored: the table we laid, and the kernel's listing of it as it was right after that. Only lay() and
forget() write them; present() compares.
"""

from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.nft_table import NftTable
from nfmasq.diversion.nftables_rules import DEFRAGMENT, ICMP_ERRORS, LOCAL_SOCKET, TABLE, rules_table
from nfmasq.machine.programs import NEEDS_PRIVILEGE, Outcome, run

_PROBE = f"""\
add table ip {TABLE}_probe
delete table ip {TABLE}_probe
table ip {TABLE}_probe {{
	chain probe {{
		{LOCAL_SOCKET} return
		{ICMP_ERRORS} fib saddr type local queue num 65535
	}}
	chain defragment {{
		{DEFRAGMENT}
	}}
}}
delete table ip {TABLE}_probe
"""


class LaidTable:
    """What this process laid of one table of ours."""

    def __init__(self) -> None:
        self._table: NftTable | None = None
        self._listing: str | None = None

    def lay(self, table: NftTable) -> Outcome:
        """Lay this table in one transaction: by changing the one before, or else in its place.

        What another program takes of it meanwhile is not whole: then none counts as laid.
        """
        changes = table.since(self._table) if self._table and self.present() else None
        laid = run("nft", "-f", "-", script=table.anew() if changes is None else changes)
        if not laid.good and changes is not None:
            laid = run("nft", "-f", "-", script=table.anew())
        if laid.good:
            listed = listing(table.name)
            whole = listed is not None and table.is_whole_in(listed)
            self._table, self._listing = (table, listed) if whole else (None, None)
        return laid

    @property
    def is_laid(self) -> bool:
        """Whether this process laid one and did not forget it."""
        return self._table is not None

    def present(self) -> bool:
        """Is the table as it was when laid?"""
        return (
            self._table is not None
            and self._listing is not None
            and listing(self._table.name) == self._listing
        )

    def forget(self) -> None:
        """Nothing is laid any more."""
        self._table = self._listing = None


class NftablesDiversion:
    """Rules by nft."""

    name = "nftables"
    stands_in = frozenset({f"ip {TABLE}"})

    def __init__(self) -> None:
        self._laid = LaidTable()

    @staticmethod
    def refusal() -> str:
        """Why this kernel or machine cannot, with the remedy; "" when it can."""
        tried = run("nft", "-f", "-", script=_PROBE)
        if tried.good:
            return ""
        if tried.not_permitted:
            return NEEDS_PRIVILEGE
        if tried.code == 127:
            return "nft is not installed; apt install nftables"
        return (
            f"the kernel does not take the rules ({tried.complaint}); use a kernel with CONFIG_NFT_QUEUE, "
            "CONFIG_NFT_SOCKET, CONFIG_NFT_TPROXY and CONFIG_NFT_FIB_IPV4"
        )

    def install(self, plan: DiversionPlan) -> None:
        """Lay the rules in one transaction."""
        laid = self._laid.lay(rules_table(plan))
        if not laid.good:
            raise DiversionUnavailable(f"nft did not take the rules: {laid.complaint}")

    def remove(self) -> None:
        """Delete the table."""
        self._laid.forget()
        delete(TABLE)

    def present(self) -> bool:
        """Is the table as it was when installed?"""
        return self._laid.present()


def listing(table: str) -> str | None:
    """The kernel's listing of a table of ours without its counters, or None when there is none."""
    listed = run("nft", "--stateless", "list", "table", "ip", table)
    return listed.output if listed.good else None


def delete(table: str) -> None:
    """Delete a table of ours; harmless when it is not there. Raises DiversionUnavailable if it stays."""
    gone = run("nft", "-f", "-", script=f"add table ip {table}\ndelete table ip {table}\n")
    if not gone.good and gone.code != 127:
        raise DiversionUnavailable(f"nft did not delete table ip {table}: {gone.complaint}")

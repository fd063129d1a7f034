"""The diversion by nft's `queue` expression, in a table of its own, `ip nfmasq`.

What is stored: the kernel's listing of the table as it was right after we installed it. Only install() and
remove() write it; present() compares.
"""

from collections.abc import Iterable

from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.program import NEEDS_PRIVILEGE, run

TABLE = "nfmasq"

# `socket transparent` is true or false for any local socket, connections half open or ending included;
# `socket wildcard` has no answer for those.
_LOCAL_SOCKET = "meta l4proto { tcp, udp } socket transparent { 0, 1 }"

# nft's socket expression, unlike xt's, leaves defragmentation off. Loading a tproxy rule switches it on for
# the whole namespace, and connection tracking not. Nothing jumps to the chain.
_DEFRAGMENT = "meta l4proto tcp tproxy to :1"

_ICMP_ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem }"

_PROBE = f"""\
add table ip {TABLE}_probe
delete table ip {TABLE}_probe
table ip {TABLE}_probe {{
	chain probe {{
		{_LOCAL_SOCKET} return
		{_ICMP_ERRORS} fib saddr type local queue num 65535
	}}
	chain defragment {{
		{_DEFRAGMENT}
	}}
}}
delete table ip {TABLE}_probe
"""


def address_set(name: str, members: Iterable[object]) -> str:
    """The text of a set of addresses or networks, which may be empty."""
    elements = ", ".join(str(member) for member in members)
    line = f"\t\telements = {{ {elements} }}\n" if elements else ""
    return f"\tset {name} {{\n\t\ttype ipv4_addr; flags interval\n{line}\t}}\n"


def names(interfaces: Iterable[str]) -> str:
    """Interfaces as an anonymous set."""
    return "{ " + ", ".join(f'"{name}"' for name in interfaces) + " }"


def replacing(table: str, body: str) -> str:
    """A transaction that puts a table in place of the one before, if any, with no moment in between."""
    return f"add table ip {table}\ndelete table ip {table}\ntable ip {table} {{\n{body}}}\n"


def ruleset(plan: DiversionPlan) -> str:
    """The whole transaction for `plan`, as text for `nft -f`."""
    first, count = plan.queues
    queue = f"queue num {first}" if count == 1 else f"queue num {first}-{first + count - 1}"
    low, high = plan.ports
    return replacing(
        TABLE,
        f"""\
{address_set("external", plan.addresses)}{address_set("internal", plan.merged_networks)}
	chain inbound {{
		type filter hook prerouting priority raw; policy accept;
		iifname != "{plan.external}" return
		ip daddr @internal {queue}
		ip daddr != @external return
		{_LOCAL_SOCKET} return
		meta l4proto {{ tcp, udp }} th dport {low}-{high} {queue}
		meta l4proto != {{ tcp, udp }} {queue}
	}}
	chain outbound {{
		type filter hook postrouting priority srcnat - 10; policy accept;
		oifname != "{plan.external}" return
		iifname {names(plan.internal)} {queue}
		{_ICMP_ERRORS} fib saddr type local {queue}
	}}
	chain defragment {{
		{_DEFRAGMENT}
	}}
""",
    )


class NftablesDiversion:
    """Rules by nft."""

    name = "nftables"

    def __init__(self) -> None:
        self._installed: str | None = None

    @staticmethod
    def refusal() -> str:
        """Why this kernel or machine cannot, with the mend; "" when it can."""
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
        laid = run("nft", "-f", "-", script=ruleset(plan))
        if not laid.good:
            raise DiversionUnavailable(f"nft did not take the rules: {laid.complaint}")
        self._installed = listing(TABLE)

    def remove(self) -> None:
        """Delete the table."""
        self._installed = None
        delete(TABLE)

    def present(self) -> bool:
        """Is the table as it was when installed?"""
        return self._installed is not None and listing(TABLE) == self._installed


def listing(table: str) -> str | None:
    """The kernel's listing of a table of ours without its counters, or None when there is none."""
    listed = run("nft", "--stateless", "list", "table", "ip", table)
    return listed.output if listed.good else None


def delete(table: str) -> None:
    """Delete a table of ours; harmless when it is not there. Raises DiversionUnavailable if it stays."""
    gone = run("nft", "-f", "-", script=f"add table ip {table}\ndelete table ip {table}\n")
    if not gone.good and gone.code != 127:
        raise DiversionUnavailable(f"nft did not delete table ip {table}: {gone.complaint}")

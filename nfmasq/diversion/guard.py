"""The guard: no packet leaves by the external interface with an internal source.

The exception: to an exempt destination (RFC 6888 REQ-6) an internal source may go.

The guard stands apart from the diversion, in a table of its own. So losing the diversion's rules, or the
daemon, stops traffic and never lets it out untranslated. The guard looks at packets last, after every
translation.

What is stored: the guard as this process laid it, with its listing right after that. Only install() and
remove() write them. The rules themselves outlive the process on purpose; any later process may replace or
remove them.

Without nft the guard is a chain behind our jump in mangle POSTROUTING. Diverted packets never come to the
guard there, so it stops only packets that no rule diverted.
"""

from ipaddress import IPv4Network

from nfmasq.diversion import iptables, nftables
from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.iptables_rules import GUARD_CHAIN, GUARD_EXEMPT_CHAIN
from nfmasq.diversion.nft_table import NftChain, NftTable, address_set
from nfmasq.diversion.nftables import LaidTable
from nfmasq.diversion.nftables_rules import ICMP_ERRORS, names
from nfmasq.machine.programs import NEEDS_PRIVILEGE, Outcome, run

TABLE = "nfmasq_guard"

# Bits from the start of an ICMP error to the destination address in the packet it quotes, which for an error
# about an inbound packet is the internal host.
_QUOTED_DESTINATION = 192

_CHAINS = (GUARD_CHAIN, GUARD_EXEMPT_CHAIN)

_laid = LaidTable()
_state: dict[str, object] = {}


def backend() -> str:
    """By which program the guard can be laid: "nftables" or "iptables".

    Raises DiversionUnavailable if by none.
    """
    probe = f"{TABLE}_probe"
    tried = run("nft", "-f", "-", script=f"add table ip {probe}\ndelete table ip {probe}\n")
    if tried.good:
        return "nftables"
    if tried.not_permitted:
        raise DiversionUnavailable(f"no guard: {NEEDS_PRIVILEGE}")
    if run("iptables-save", "-t", "mangle").good:
        return "iptables"
    raise DiversionUnavailable(
        f"no guard: neither nft ({tried.complaint}) nor iptables works; apt install nftables"
    )


def guard_table(plan: DiversionPlan) -> NftTable:
    """The table for `plan`."""
    quoted = tuple(f"{ICMP_ERRORS} {_quotes(network)} drop" for network in plan.merged_networks)
    egress = (
        f'oifname != "{plan.external}" return',
        "ip saddr @internal ip daddr @exempt return",
        "ip saddr @internal drop",
        f"iifname {names(plan.internal)} ip saddr != @external drop",
        "ip daddr != @exempt jump quoted",
    )
    return NftTable(
        TABLE,
        (
            address_set("external", plan.merged_addresses),
            address_set("internal", plan.merged_networks),
            address_set("exempt", plan.merged_exempt),
        ),
        (
            NftChain("quoted", "", quoted),
            NftChain("egress", "type filter hook postrouting priority srcnat + 200; policy accept;", egress),
        ),
    )


def _quotes(network: IPv4Network) -> str:
    mask, value = int(network.netmask), int(network.network_address)
    return f"@th,{_QUOTED_DESTINATION},32 & {mask:#010x} == {value:#010x}"


def install(plan: DiversionPlan) -> None:
    """Lay the guard for `plan`, in place of the one before. Raises DiversionUnavailable if that fails."""
    by_nft = backend() == "nftables"
    laid = _laid.lay(guard_table(plan)) if by_nft else _install_by_iptables(plan)
    if not laid.good:
        raise DiversionUnavailable(f"the guard could not be laid: {laid.complaint}")
    _state["installed"] = _listing()


def _install_by_iptables(plan: DiversionPlan) -> Outcome:
    from_inside = [
        *(f"-s {network} -j RETURN" for network in plan.merged_addresses),
        *(f"-i {name} -j DROP" for name in plan.internal),
    ]
    return iptables.restore(
        "mangle",
        [
            f":{GUARD_CHAIN} - [0:0]",
            f":{GUARD_EXEMPT_CHAIN} - [0:0]",
            *iptables.without(iptables.rules("mangle"), _CHAINS),
            *(f"-A {GUARD_CHAIN} -d {network} -g {GUARD_EXEMPT_CHAIN}" for network in plan.merged_exempt),
            *(f"-A {GUARD_CHAIN} -s {network} -j DROP" for network in plan.merged_networks),
            *(f"-A {GUARD_EXEMPT_CHAIN} -s {network} -j RETURN" for network in plan.merged_networks),
            *(f"-A {chain} {rule}" for chain in _CHAINS for rule in from_inside),
            f"-A POSTROUTING -o {plan.external} -j {GUARD_CHAIN}",
        ],
    )


def remove() -> None:
    """Take the guard out, an earlier process's too, by every program; harmless when there is none."""
    _state.clear()
    _laid.forget()
    nftables.delete(TABLE)
    iptables.erase("mangle", _CHAINS)


def present() -> bool:
    """Is the guard there, and unchanged if this process laid it?"""
    now = _listing()
    return bool(now) and now == _state.get("installed", now)


def _listing() -> str:
    """The guard's rules by either program, or ""."""
    listed = nftables.listing(TABLE)
    if listed is not None:
        return listed
    lines = iptables.rules("mangle")
    return "\n".join(line for line in lines if line.split()[1] in _CHAINS or iptables.leads_to(line, _CHAINS))

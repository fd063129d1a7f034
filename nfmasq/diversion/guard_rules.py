"""The guard's rules for one plan, for nft and for iptables.

By an external interface no packet leaves with a source behind the router that should have been translated,
unless its destination is exempt (RFC 6888 REQ-6). The router's ICMP errors do not quote such a source either.
By every other interface such a source may go to private destinations, and to networks with a route of their
own there: containers, other sites, a demilitarised network. To public destinations it may not: that would be
an uplink nobody named. Internal interfaces, the loopback and those the plan names are not guarded.

What an internal interface brings leaves by an external one with an external or an untranslated source only.
A source of an untranslated network that an external interface brings is spoofed, and goes nowhere.

What came by an external interface for an external address does not leave by one. Where a pool's address is on
no interface, the router would send the packet back to the next router, which would send it in again. While
there is no external address at all, nothing that came by an external interface leaves by one. To forward it,
the router would ask for its neighbour (ARP) by an internal address, having no other.
"""

from ipaddress import IPv4Network

from nfmasq.diversion.backend import NOT_PUBLIC, DiversionPlan
from nfmasq.diversion.covering import cover
from nfmasq.diversion.iptables_rules import (
    GUARD_CHAIN,
    GUARD_EXEMPT_CHAIN,
    GUARD_EXTERNAL_CHAIN,
    GUARD_RETURNED_CHAIN,
    answers_of_others,
)
from nfmasq.diversion.nft_table import NftChain, NftTable, address_set
from nfmasq.diversion.nftables_rules import ICMP_ERRORS, names

TABLE = "nfmasq_guard"

EXTERNAL, ELSEWHERE, QUOTED, SPOOFED, RETURNED = COUNTERS = (
    "external",
    "elsewhere",
    "quoted",
    "spoofed",
    "returned",
)
"""What the guard dropped: untranslated packets by an external interface, and by another one to a public
destination; ICMP errors that quote an internal address; sources of an untranslated network from outside; what
came from outside and would go back there."""

CHAINS = (GUARD_CHAIN, GUARD_EXTERNAL_CHAIN, GUARD_EXEMPT_CHAIN, GUARD_RETURNED_CHAIN)

# From the start of an ICMP error to the destination address in the packet it quotes, which for an error about
# an inbound packet is the internal host.
_QUOTED_DESTINATION = 24

_ERROR_TYPES = (3, 11, 12)
_LOOPBACK = "lo"


def guard_table(plan: DiversionPlan) -> NftTable:
    """The table for `plan`."""
    egress = (
        f"iifname {names(plan.outside)} ip saddr @untranslated {_drop(SPOOFED)}",
        f"oifname {names(_unguarded(plan))} return",
        f"oifname {names(plan.outside)} goto by_external",
        "ip saddr != @internal return",
        f"ip daddr {{ {', '.join(map(str, NOT_PUBLIC))} }} return",
        f"ip daddr != @elsewhere {_drop(ELSEWHERE)}",
    )
    return NftTable(
        TABLE,
        (
            address_set("external", plan.merged_addresses),
            address_set("internal", plan.merged_networks),
            address_set("untranslated", plan.merged_untranslated),
            address_set("elsewhere", plan.merged_elsewhere),
            address_set("exempt", plan.merged_exempt),
        ),
        (
            NftChain("quoted", "", tuple(_nft_quotes(network) for network in plan.few_networks)),
            NftChain("by_external", "", _by_external(plan)),
            NftChain("egress", "type filter hook postrouting priority srcnat + 200; policy accept;", egress),
        ),
        COUNTERS,
    )


def _by_external(plan: DiversionPlan) -> tuple[str, ...]:
    to_us = "ip daddr @external " if plan.addresses else ""
    return (
        f"iifname {names(plan.outside)} {to_us}{_drop(RETURNED)}",
        "ip saddr @untranslated return",
        "ip saddr @internal ip daddr @exempt return",
        f"ip saddr != @external ip saddr @internal {_drop(EXTERNAL)}",
        f"iifname {names(plan.internal)} ip saddr != @external {_drop(EXTERNAL)}",
        "ip daddr != @exempt jump quoted",
    )


def _drop(counter: str) -> str:
    return f'counter name "{counter}" drop'


def _nft_quotes(network: IPv4Network) -> str:
    mask, value = int(network.netmask), int(network.network_address)
    return f"{ICMP_ERRORS} @th,{_QUOTED_DESTINATION * 8},32 & {mask:#010x} == {value:#010x} {_drop(QUOTED)}"


def iptables_rules(plan: DiversionPlan, *, quotes: bool) -> dict[str, list[str]]:
    """The rules by chain. quotes: look into ICMP errors too, which takes the kernel's u32 match."""
    networks, exempt, untranslated = plan.few_networks, plan.merged_exempt, plan.merged_untranslated
    ours = [f"-s {network} -j RETURN" for network in plan.merged_addresses]
    to_us = [f"-d {network} " for network in plan.merged_addresses]
    from_inside = [f"-i {name} -j DROP" for name in plan.internal]
    elsewhere = (*NOT_PUBLIC, *cover(plan.merged_elsewhere))
    return {
        GUARD_CHAIN: [
            *(f"-i {name} -s {network} -j DROP" for name in plan.outside for network in untranslated),
            *(f"-o {name} -j RETURN" for name in _unguarded(plan)),
            *(f"-o {name} -g {GUARD_EXTERNAL_CHAIN}" for name in plan.outside),
            *ours,
            *(f"-s {network} -j RETURN" for network in untranslated),
            *(f"-d {network} -j RETURN" for network in elsewhere),
            *(f"-s {network} -j DROP" for network in networks),
        ],
        GUARD_EXTERNAL_CHAIN: [
            *answers_of_others(plan),
            *(f"-i {name} -j {GUARD_RETURNED_CHAIN}" for name in plan.outside),
            *(f"-d {network} -g {GUARD_EXEMPT_CHAIN}" for network in exempt),
            *(_iptables_quotes(network, kind) for network in networks for kind in _ERROR_TYPES if quotes),
            *ours,
            *(f"-s {network} -j RETURN" for network in untranslated),
            *(f"-s {network} -j DROP" for network in networks),
            *from_inside,
        ],
        GUARD_RETURNED_CHAIN: [f"{to}-j DROP" for to in to_us or [""]],
        GUARD_EXEMPT_CHAIN: [
            *ours,
            *(f"-s {network} -j RETURN" for network in (*untranslated, *networks)),
            *from_inside,
        ],
    }


def _iptables_quotes(network: IPv4Network, kind: int) -> str:
    first, last = int(network.network_address), int(network.broadcast_address)
    place = f"0>>22&0x3C@{_QUOTED_DESTINATION}={first:#x}:{last:#x}"
    return f'-p icmp --icmp-type {kind} -m u32 --u32 "{place}" -j DROP'


def counter_of(line: str) -> str:
    """What a dropping rule of iptables, as it is listed, counts: one of COUNTERS."""
    words = line.split()
    if "--u32" in words:
        return QUOTED
    if words[1] == GUARD_RETURNED_CHAIN:
        return RETURNED
    if words[1] != GUARD_CHAIN:
        return EXTERNAL
    return SPOOFED if "-i" in words else ELSEWHERE


def _unguarded(plan: DiversionPlan) -> tuple[str, ...]:
    return tuple(dict.fromkeys((_LOOPBACK, *plan.internal, *plan.unguarded)))

"""Our nft rules for one plan, and what the guard's have in common with them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nfmasq.diversion.backend import DiversionPlan
from nfmasq.diversion.claims import Claims, Span
from nfmasq.diversion.nft_table import NftChain, NftSet, NftTable, address_set, interval_set

TABLE = "nfmasq"

# `socket transparent` is true or false for any local socket, connections half open or ending included;
# `socket wildcard` has no answer for those.
LOCAL_SOCKET = "meta l4proto { tcp, udp } socket transparent { 0, 1 }"

# nft's socket expression, unlike xt's, leaves defragmentation off. Loading a tproxy rule enables it for
# the whole namespace, and connection tracking not. Nothing jumps to the chain.
DEFRAGMENT = "meta l4proto tcp tproxy to :1"

ICMP_ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem }"


BEFORE_CONNTRACK = "raw + 90"
"""Behind the rules of others at raw (-300; firewalld's are at -290), before connection tracking (-200)."""

BEHIND_OTHERS = "dstnat + 10"
"""Behind the rules that lead packets to another destination, before routing."""


def names(interfaces: Sequence[str]) -> str:
    """Interfaces as nft compares them with one."""
    quoted = [f'"{name}"' for name in interfaces]
    return quoted[0] if len(quoted) == 1 else "{ " + ", ".join(quoted) + " }"


def rules_table(plan: DiversionPlan) -> NftTable:
    """The table for `plan`.

    Packets from a translated source to an exempt destination, and from there to an internal host, are left
    alone. So are packets of untranslated networks. A spoofed source is neither: the core judges its packets.

    The chain `inbound` comes after all rules of others at raw, so that their drops and their notrack hold for
    diverted packets too. The chain `untaken` is there while rules of others lead packets inside and there is
    a default host. The chain `late` gets what the first look let by and the kernel would deliver to a port of
    ours that no local socket has. Mangle comes before every filter of the router's own input: the core drops
    its packets with a reason, and the filter never sees them. Replies of a connection that conntrack
    translates are on their way to another address by then.
    """
    return NftTable(
        TABLE,
        (
            address_set("external", plan.merged_addresses),
            address_set("internal", plan.merged_networks),
            address_set("untranslated", plan.merged_untranslated),
            address_set("exempt", plan.merged_exempt),
            interval_set("ports", "inet_service", map(_ports, plan.merged_ports)),
            *(
                interval_set(f"late_{name}", "inet_service", map(_ports, plan.late_ports(name)))
                for name in ("tcp", "udp")
            ),
            *_claimed_sets(plan.claims),
        ),
        (
            NftChain(
                "inbound",
                f"type filter hook prerouting priority {BEFORE_CONNTRACK}; policy accept;",
                _inbound(plan),
            ),
            *_untaken(plan),
            NftChain("late", "type filter hook input priority mangle; policy accept;", _late(plan)),
            NftChain(
                "outbound",
                "type filter hook postrouting priority srcnat - 10; policy accept;",
                _outbound(plan),
            ),
            *_silent(plan),
            NftChain("defragment", "", (DEFRAGMENT,)),
        ),
    )


def _inbound(plan: DiversionPlan) -> tuple[str, ...]:
    queue, outside = _queue(plan), names(plan.outside)
    return (
        f"iifname != {names(plan.sides)} return",
        f"iifname {outside} ip saddr @exempt ip daddr @internal return",
        f"iifname {outside} ip daddr @internal {queue}",
        f"iifname {outside} ip saddr @internal ip daddr @untranslated {queue}",
        "ip daddr != @external return",
        *_to_an_external_address(plan),
    )


def _untaken(plan: DiversionPlan) -> Iterator[NftChain]:
    """Queues what the rules of others left for the default host: connection tracking knows it as new."""
    if plan.untaken_queue is not None:
        hook = f"type filter hook prerouting priority {BEHIND_OTHERS}; policy accept;"
        rules = (
            f"iifname != {names(plan.sides)} return",
            "ip daddr != @external return",
            "ct state { established, related } return",
            f"{LOCAL_SOCKET} return",
            f"queue num {plan.untaken_queue}",
        )
        yield NftChain("untaken", hook, rules)


def _late(plan: DiversionPlan) -> tuple[str, ...]:
    return (
        f"iifname != {names(plan.sides)} return",
        "ip daddr != @external return",
        f"{LOCAL_SOCKET} return",
        *([f"ip daddr @claimed meta l4proto {{ tcp, udp }} {_queue(plan)}"] if plan.claims.whole else []),
        *(f"{name} dport @late_{name} {_queue(plan)}" for name in ("tcp", "udp")),
    )


def _outbound(plan: DiversionPlan) -> tuple[str, ...]:
    queue, outside = _queue(plan), names(plan.outside)
    return (
        *_back(plan),
        f"oifname != {outside} return",
        *(["ct status dnat ct direction reply return"] if plan.others_lead else []),
        "ip saddr @untranslated return",
        "ip saddr @internal ip daddr @exempt return",
        f"iifname {names(plan.internal)} {queue}",
        f"{ICMP_ERRORS} fib saddr type local ip daddr != @exempt {queue}",
    )


def _queue(plan: DiversionPlan) -> str:
    first, count = plan.queues
    return f"queue num {first}" if count == 1 else f"queue num {first}-{first + count - 1}"


def _to_an_external_address(plan: DiversionPlan) -> tuple[str, ...]:
    queue, claims = _queue(plan), plan.claims
    return (
        *([f"ip daddr @claimed {queue}"] if claims.whole else []),
        *(f"ip daddr . {name} dport @claimed_{name}_at {queue}" for name in _named(claims.at, 1)),
        *(f"{name} dport @claimed_{name} {queue}" for name in _named(claims.everywhere, 0)),
        f"{LOCAL_SOCKET} return",
        *(f"meta l4proto {name} {queue}" for name in claims.default_host),
        f"meta l4proto {{ tcp, udp }} th dport @ports {queue}",
        f"meta l4proto != {{ tcp, udp }} {queue}",
    )


def _claimed_sets(claims: Claims) -> Iterator[NftSet]:
    """The sets of the forwards' claims; empty ones are left out."""
    if claims.whole:
        yield address_set("claimed", claims.whole)
    for wanted in _named(claims.at, 1):
        elements = (
            f"{address} . {_ports(span)}"
            for address, name, spans in claims.at
            if name == wanted
            for span in spans
        )
        yield interval_set(f"claimed_{wanted}_at", "ipv4_addr . inet_service", elements)
    for name, spans in claims.everywhere:
        yield interval_set(f"claimed_{name}", "inet_service", map(_ports, spans))


def _named(rows: Iterable[tuple[Any, ...]], column: int) -> list[str]:
    """The protocols in a column, each once."""
    return list(dict.fromkeys(row[column] for row in rows))


def _ports(span: Span) -> str:
    first, last = span
    return f"{first}" if first == last else f"{first}-{last}"


def _back(plan: DiversionPlan) -> Iterator[str]:
    """The rule for hairpinned packets on their way back to an internal host."""
    if plan.hairpinning:
        sides = names(plan.internal)
        mark = f"meta mark & {plan.mark:#x} == {plan.mark:#x}"
        yield f"oifname {sides} iifname {sides} {mark} {_queue(plan)}"


def _silent(plan: DiversionPlan) -> Iterator[NftChain]:
    """Drops ICMP redirects: for a hairpinned packet they would show the sender a way past the router."""
    if plan.hairpinning:
        redirects = f"oifname {names(plan.internal)} icmp type redirect drop"
        yield NftChain("silent", "type filter hook output priority raw; policy accept;", (redirects,))

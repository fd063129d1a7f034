"""The text of our nft rules for one plan, and of what the guard's has in common with it."""

from collections.abc import Iterable
from typing import Any

from nfmasq.diversion.backend import HAIRPIN_MARK, HAIRPIN_MASK, DiversionPlan
from nfmasq.diversion.claims import Claims, Span

TABLE = "nfmasq"

# `socket transparent` is true or false for any local socket, connections half open or ending included;
# `socket wildcard` has no answer for those.
LOCAL_SOCKET = "meta l4proto { tcp, udp } socket transparent { 0, 1 }"

# nft's socket expression, unlike xt's, leaves defragmentation off. Loading a tproxy rule switches it on for
# the whole namespace, and connection tracking not. Nothing jumps to the chain.
DEFRAGMENT = "meta l4proto tcp tproxy to :1"

ICMP_ERRORS = "icmp type { destination-unreachable, time-exceeded, parameter-problem }"


def address_set(name: str, members: Iterable[object]) -> str:
    """The text of a set of addresses or networks, which may be empty."""
    return _interval_set(name, "ipv4_addr", members)


def _interval_set(name: str, kind: str, members: Iterable[object]) -> str:
    elements = ", ".join(str(member) for member in members)
    line = f"\t\telements = {{ {elements} }}\n" if elements else ""
    return f"\tset {name} {{\n\t\ttype {kind}; flags interval\n{line}\t}}\n"


def names(interfaces: Iterable[str]) -> str:
    """Interfaces as an anonymous set."""
    return "{ " + ", ".join(f'"{name}"' for name in interfaces) + " }"


def replacing(table: str, body: str) -> str:
    """A transaction that puts a table in place of the one before, if any, with no moment in between."""
    return f"add table ip {table}\ndelete table ip {table}\ntable ip {table} {{\n{body}}}\n"


def ruleset(plan: DiversionPlan) -> str:
    """The whole transaction for `plan`, as text for `nft -f`.

    What is sent to an address of a pool, and is nobody's, the router would send back where it came from if
    the address is on no interface: it ends here, for the next router would send it in again. While there is
    no address at all, that is so of everything; and to send it on, the router would ask for its neighbour
    (ARP) by an internal address, having no other.
    """
    queue = _queue(plan)
    unwanted = "ip daddr @external " if plan.addresses else ""
    sides = (*plan.internal, plan.external) if plan.hairpinning else (plan.external,)
    return replacing(
        TABLE,
        f"""\
{address_set("external", plan.merged_addresses)}{address_set("internal", plan.merged_networks)}\
{_claimed_sets(plan.claims)}
	chain inbound {{
		type filter hook prerouting priority raw; policy accept;
		iifname != {names(sides)} return
		iifname "{plan.external}" ip daddr @internal {queue}
		ip daddr != @external return
{_to_an_external_address(plan)}	}}
	chain outbound {{
		type filter hook postrouting priority srcnat - 10; policy accept;
{_back(plan)}		oifname != "{plan.external}" return
		iifname {names(plan.internal)} {queue}
		iifname "{plan.external}" {unwanted}drop
		{ICMP_ERRORS} fib saddr type local {queue}
	}}
{_silent(plan)}	chain defragment {{
		{DEFRAGMENT}
	}}
""",
    )


def _queue(plan: DiversionPlan) -> str:
    first, count = plan.queues
    return f"queue num {first}" if count == 1 else f"queue num {first}-{first + count - 1}"


def _to_an_external_address(plan: DiversionPlan) -> str:
    queue, claims, (low, high) = _queue(plan), plan.claims, plan.ports
    rules = [
        *([f"ip daddr @claimed {queue}"] if claims.whole else []),
        *(f"ip daddr . {name} dport @claimed_{name}_at {queue}" for name in _named(claims.at, 1)),
        *(f"{name} dport @claimed_{name} {queue}" for name in _named(claims.everywhere, 0)),
        f"{LOCAL_SOCKET} return",
        *(f"meta l4proto {name} {queue}" for name in claims.leftover),
        f"meta l4proto {{ tcp, udp }} th dport {low}-{high} {queue}",
        f"meta l4proto != {{ tcp, udp }} {queue}",
    ]
    return "".join(f"\t\t{rule}\n" for rule in rules)


def _claimed_sets(claims: Claims) -> str:
    """The sets that hold what forwards claim; those that would be empty are left out."""
    text = address_set("claimed", claims.whole) if claims.whole else ""
    for wanted in _named(claims.at, 1):
        elements = [
            f"{address} . {_ports(span)}"
            for address, name, spans in claims.at
            if name == wanted
            for span in spans
        ]
        text += _interval_set(f"claimed_{wanted}_at", "ipv4_addr . inet_service", elements)
    for name, spans in claims.everywhere:
        text += _interval_set(f"claimed_{name}", "inet_service", map(_ports, spans))
    return text


def _named(rows: Iterable[tuple[Any, ...]], column: int) -> list[str]:
    """The protocols in a column, each once."""
    return list(dict.fromkeys(row[column] for row in rows))


def _ports(span: Span) -> str:
    first, last = span
    return f"{first}" if first == last else f"{first}-{last}"


def _back(plan: DiversionPlan) -> str:
    """The rule for hairpinned packets on their way back to an internal host."""
    if not plan.hairpinning:
        return ""
    sides = names(plan.internal)
    mark = f"meta mark & {HAIRPIN_MASK:#x} == {HAIRPIN_MARK:#x}"
    return f"\t\toifname {sides} iifname {sides} {mark} {_queue(plan)}\n"


def _silent(plan: DiversionPlan) -> str:
    """A hairpinned packet would make the router tell its sender of a shorter way, past the router."""
    if not plan.hairpinning:
        return ""
    return f"""\
	chain silent {{
		type filter hook output priority raw; policy accept;
		oifname {names(plan.internal)} icmp type redirect drop
	}}
"""

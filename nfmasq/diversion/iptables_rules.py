"""The text of our iptables rules, chain by chain, for one plan."""

from collections.abc import Iterator, Sequence

from nfmasq.diversion.backend import HAIRPIN_MARK, HAIRPIN_MASK, DiversionPlan
from nfmasq.diversion.claims import Span

CHAINS = {
    "raw": ("nfmasq-in", "nfmasq-from", "nfmasq-hairpin", "nfmasq-ext", "nfmasq-silent"),
    "mangle": ("nfmasq-out", "nfmasq-to", "nfmasq-back"),
}
"""in: from outside; from: from an exempt destination; hairpin: from inside, for an external address;
ext: of these, for an external address; silent: ICMP redirects, which are dropped; out: to the outside;
to: to an exempt destination; back: a hairpinned packet on its way back inside."""

GUARD_CHAIN, GUARD_EXEMPT_CHAIN = "nfmasq-guard", "nfmasq-guard-to"

LOCAL_SOCKET = "-m socket --nowildcard -j RETURN"
_ICMP_ERRORS = (3, 11, 12)
_REDIRECT = 5
_PLACES = 15
"""Ports one multiport match can hold; a range takes two."""

_LONG = 4
"""From so many networks on, a list of addresses is worth a rule that spares other packets the list."""


def chain_rules(plan: DiversionPlan) -> dict[str, list[str]]:
    """The rules in each of our chains.

    Packets from an internal source to an exempt destination, and from there to an internal host, are left
    alone. A spoofed source is not exempt: the core judges its packets. A chain of their own, gone to by -g,
    keeps the number of rules at the sum of networks and destinations; it returns to the caller of the chain
    before.

    A packet to a pool's address that neither a queue nor a local socket takes is dropped here. Where the
    address is on no interface, the router would send the packet back to the next router, which would send it
    in again. While there is no external address at all, every packet that came in by the external interface
    and would leave by it is dropped. To forward it, the router would ask for its neighbour (ARP) by an
    internal address, having no other.
    """
    queue = _queue(plan)
    unwanted = [f"-d {network} " for network in plan.merged_addresses] or [""]
    to_external = [f"-d {network} -j nfmasq-ext" for network in plan.merged_addresses]
    from_inside = [f"-i {name} {queue}" for name in plan.internal]
    back_out = [f"-i {plan.external} {what}-j DROP" for what in unwanted]
    networks, exempt = plan.merged_networks, plan.merged_exempt
    return {
        "nfmasq-in": [
            *(f"-s {network} -g nfmasq-from" for network in exempt),
            *(f"-d {network} {queue}" for network in networks),
            *to_external,
        ],
        "nfmasq-from": [*(f"-d {network} -j RETURN" for network in networks), *to_external] if exempt else [],
        "nfmasq-hairpin": [*_for_others(plan), *to_external] if plan.hairpinning else [],
        "nfmasq-ext": _to_an_external_address(plan),
        "nfmasq-silent": ["-j DROP"] if plan.hairpinning else [],
        "nfmasq-out": [
            *(f"-d {network} -g nfmasq-to" for network in exempt),
            *from_inside,
            *back_out,
            *(f"-p icmp --icmp-type {kind} -m addrtype --src-type LOCAL {queue}" for kind in _ICMP_ERRORS),
        ],
        "nfmasq-to": [*(f"-s {network} -j RETURN" for network in networks), *from_inside, *back_out]
        if exempt
        else [],
        "nfmasq-back": from_inside if plan.hairpinning else [],
    }


def jumps(plan: DiversionPlan) -> dict[str, list[str]]:
    """The rules that lead to our chains, by table, as changes.

    A hairpinned packet would make the router tell its sender of a shorter way, past the router: no redirects.
    """
    raw = [f"-I PREROUTING 1 -i {plan.external} -j nfmasq-in"]
    mangle = [f"-A POSTROUTING -o {plan.external} -j nfmasq-out"]
    if plan.hairpinning:
        mark = f"-m mark --mark {HAIRPIN_MARK:#x}/{HAIRPIN_MASK:#x}"
        for name in plan.internal:
            raw += [
                f"-I PREROUTING 2 -i {name} -j nfmasq-hairpin",
                f"-I OUTPUT 1 -o {name} -p icmp --icmp-type {_REDIRECT} -j nfmasq-silent",
            ]
            mangle.append(f"-A POSTROUTING -o {name} {mark} -j nfmasq-back")
    return {"raw": raw, "mangle": mangle}


def _for_others(plan: DiversionPlan) -> list[str]:
    """What comes from inside is seldom for one of our addresses: of a long list it shall meet one rule."""
    networks = plan.merged_addresses
    if len(networks) < _LONG:
        return []
    around = networks[0]
    while not all(network.subnet_of(around) for network in networks):
        around = around.supernet()
    return [f"! -d {around} -j RETURN"] if around.prefixlen else []


def _to_an_external_address(plan: DiversionPlan) -> list[str]:
    queue, claims, (low, high) = _queue(plan), plan.claims, plan.ports
    return [
        *(f"-d {address}/32 {queue}" for address in claims.whole),
        *(f"-d {at}/32 {rule} {queue}" for at, name, spans in claims.at for rule in _matches(name, spans)),
        *(f"{rule} {queue}" for name, spans in claims.everywhere for rule in _matches(name, spans)),
        *(f"-p {name} {LOCAL_SOCKET}" for name in ("tcp", "udp")),
        *(f"-p {name} {queue}" for name in claims.default_host),
        *(f"-p {name} --dport {low}:{high} {queue}" for name in ("tcp", "udp")),
        *(f"-p {name} -j RETURN" for name in ("tcp", "udp")),
        queue,
    ]


def _queue(plan: DiversionPlan) -> str:
    first, count = plan.queues
    numbers = f"--queue-num {first}" if count == 1 else f"--queue-balance {first}:{first + count - 1}"
    return f"-j NFQUEUE {numbers}"


def _matches(protocol: str, spans: Sequence[Span]) -> Iterator[str]:
    """As few matches as hold these ports."""
    ports: list[str] = []
    room = _PLACES
    for first, last in spans:
        needed = 1 if first == last else 2
        if needed > room:
            yield f"-p {protocol} -m multiport --dports {','.join(ports)}"
            ports, room = [], _PLACES
        ports.append(f"{first}" if first == last else f"{first}:{last}")
        room -= needed
    yield f"-p {protocol} -m multiport --dports {','.join(ports)}"

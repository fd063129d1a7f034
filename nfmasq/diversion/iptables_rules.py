"""The text of our iptables rules, chain by chain, for one plan."""

from collections.abc import Iterator, Sequence

from nfmasq.diversion.backend import DiversionPlan
from nfmasq.diversion.claims import Span

CHAINS = {
    "raw": ("nfmasq-in", "nfmasq-from", "nfmasq-spoofed", "nfmasq-hairpin", "nfmasq-ext", "nfmasq-silent"),
    "nat": ("nfmasq-untaken",),
    "mangle": ("nfmasq-out", "nfmasq-to", "nfmasq-back", "nfmasq-late", "nfmasq-late-ext"),
}
"""in: from outside; from: from an exempt destination; spoofed: from outside to an untranslated network;
hairpin: from inside, for an external address; ext: of these, for an external address; silent: ICMP
redirects, which are dropped; untaken: what the rules of others left for the default host; out: to the
outside; to: to an exempt destination; back: a hairpinned packet on its way back inside; late: on its way to
the router itself; late-ext: of these, for an external address."""

SHARED_HOOKS = {"raw": ("PREROUTING",), "nat": ("PREROUTING",), "mangle": ("INPUT", "POSTROUTING")}
"""The chains of the kernel where our jumps stand behind all rules of others: a packet we divert skips what
follows."""

GUARD_CHAIN, GUARD_EXTERNAL_CHAIN, GUARD_EXEMPT_CHAIN = "nfmasq-guard", "nfmasq-guard-ext", "nfmasq-guard-to"
GUARD_RETURNED_CHAIN = "nfmasq-guard-re"
"""out: by whatever interface; ext: by an external one; to: of these, to an exempt destination; re: of these,
from an external one."""

LOCAL_SOCKET = "-m socket --nowildcard -j RETURN"
_ICMP_ERRORS = (3, 11, 12)
_REDIRECT = 5
_PLACES = 15
"""Ports one multiport match can hold; a range takes two."""

_LONG = 4
"""From so many networks on, a list of addresses is worth a rule that spares other packets the list."""


def chain_rules(plan: DiversionPlan) -> dict[str, list[str]]:
    """The rules in each of our chains.

    Packets from a translated source to an exempt destination, and from there to an internal host, are left
    alone. So are packets of untranslated networks. A spoofed source is neither: the core judges its packets.
    A chain of their own, gone to by -g, keeps the number of rules at the sum of networks and destinations; it
    returns to the caller of the chain before.

    The chain nfmasq-late gets what the first look let by and the kernel would deliver to a port of ours that
    no local socket has. Mangle comes before every filter of the router's own input: the core drops its
    packets with a reason, and the filter never sees them. Replies of a connection that conntrack translates
    are on their way to another address by then.
    """
    return {**_arriving(plan), **_untaken(plan), **_leaving(plan), **_delivered(plan)}


def tables(plan: DiversionPlan) -> tuple[str, ...]:
    """The tables that have rules of this plan. To look at nat alone would enable connection tracking."""
    return tuple(table for table in CHAINS if table != "nat" or plan.untaken_queue is not None)


def _arriving(plan: DiversionPlan) -> dict[str, list[str]]:
    queue, networks, exempt = _queue(plan), plan.few_networks, plan.merged_exempt
    untranslated = plan.merged_untranslated
    to_external = [f"-d {network} -g nfmasq-ext" for network in plan.merged_addresses]
    from_exempt = [*(f"-d {network} -j RETURN" for network in networks), *to_external]
    return {
        "nfmasq-in": [
            *(f"-s {network} -g nfmasq-from" for network in exempt),
            *to_external,
            *(f"-d {network} -g nfmasq-spoofed" for network in untranslated),
            *(f"-d {network} {queue}" for network in networks),
        ],
        "nfmasq-from": from_exempt if exempt else [],
        "nfmasq-spoofed": [f"-s {network} {queue}" for network in networks] if untranslated else [],
        "nfmasq-hairpin": [*_for_others(plan), *to_external] if plan.hairpinning else [],
        "nfmasq-ext": _to_an_external_address(plan),
        "nfmasq-silent": ["-j DROP"] if plan.hairpinning else [],
    }


def _untaken(plan: DiversionPlan) -> dict[str, list[str]]:
    """For what connection tracking takes for new alone: nothing else comes to the table nat."""
    if plan.untaken_queue is None:
        return {"nfmasq-untaken": []}
    return {
        "nfmasq-untaken": [
            *_for_others(plan),
            *(f"-p {name} {LOCAL_SOCKET}" for name in ("tcp", "udp")),
            *(
                f"-d {network} -j NFQUEUE --queue-num {plan.untaken_queue}"
                for network in plan.merged_addresses
            ),
        ]
    }


def _leaving(plan: DiversionPlan) -> dict[str, list[str]]:
    queue, networks, exempt = _queue(plan), plan.few_networks, plan.merged_exempt
    from_inside = [f"-i {name} {queue}" for name in plan.internal]
    return {
        "nfmasq-out": [
            *answers_of_others(plan),
            *(f"-s {network} -j RETURN" for network in plan.merged_untranslated),
            *(f"-d {network} -g nfmasq-to" for network in exempt),
            *from_inside,
            *(f"-p icmp --icmp-type {kind} -m addrtype --src-type LOCAL {queue}" for kind in _ICMP_ERRORS),
        ],
        "nfmasq-to": [*(f"-s {network} -j RETURN" for network in networks), *from_inside] if exempt else [],
        "nfmasq-back": from_inside if plan.hairpinning else [],
    }


def answers_of_others(plan: DiversionPlan) -> list[str]:
    """Answers of connections that rules of others led inside: conntrack translates them after this hook."""
    return ["-m conntrack --ctstate DNAT --ctdir REPLY -j RETURN"] if plan.others_lead else []


def _delivered(plan: DiversionPlan) -> dict[str, list[str]]:
    queue = _queue(plan)
    return {
        "nfmasq-late": [
            *_for_others(plan),
            *(f"-d {network} -g nfmasq-late-ext" for network in plan.merged_addresses),
        ],
        "nfmasq-late-ext": [
            *(f"-p {name} {LOCAL_SOCKET}" for name in ("tcp", "udp")),
            *(f"-d {each}/32 -p {name} {queue}" for each in plan.claims.whole for name in ("tcp", "udp")),
            *(f"{rule} {queue}" for name in ("tcp", "udp") for rule in _matches(name, plan.late_ports(name))),
        ],
    }


def jumps(plan: DiversionPlan) -> dict[str, dict[str, list[str]]]:
    """The rules that lead to our chains, by table and by the chain they stand in.

    A hairpinned packet would make the router tell its sender of a shorter way, past the router: no redirects.
    """
    arriving = [f"-i {name} -j nfmasq-in" for name in plan.outside]
    delivered = [f"-i {name} -j nfmasq-late" for name in plan.outside]
    untaken = [] if plan.untaken_queue is None else [f"-i {name} -j nfmasq-untaken" for name in plan.sides]
    leaving = [f"-o {name} -j nfmasq-out" for name in plan.outside]
    silent = []
    if plan.hairpinning:
        mark = f"-m mark --mark {plan.mark:#x}/{plan.mark:#x}"
        arriving += [f"-i {name} -j nfmasq-hairpin" for name in plan.internal]
        delivered += [f"-i {name} -j nfmasq-late" for name in plan.internal]
        leaving += [f"-o {name} {mark} -j nfmasq-back" for name in plan.internal]
        silent = [f"-o {name} -p icmp --icmp-type {_REDIRECT} -j nfmasq-silent" for name in plan.internal]
    return {
        "raw": {"PREROUTING": arriving, "OUTPUT": silent},
        "nat": {"PREROUTING": untaken},
        "mangle": {"INPUT": delivered, "POSTROUTING": leaving},
    }


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
    queue, claims = _queue(plan), plan.claims
    return [
        *(f"-d {address}/32 {queue}" for address in claims.whole),
        *(f"-d {at}/32 {rule} {queue}" for at, name, spans in claims.at for rule in _matches(name, spans)),
        *(f"{rule} {queue}" for name, spans in claims.everywhere for rule in _matches(name, spans)),
        *(f"-p {name} {LOCAL_SOCKET}" for name in ("tcp", "udp")),
        *(f"-p {name} {queue}" for name in claims.default_host),
        *(f"{rule} {queue}" for name in ("tcp", "udp") for rule in _matches(name, plan.merged_ports)),
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
    if ports:
        yield f"-p {protocol} -m multiport --dports {','.join(ports)}"

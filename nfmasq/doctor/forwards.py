"""Do the configured forwards take ports that the router's own sockets use, or packets of other programs?

A forward of a port takes precedence. A listener there is no longer reached from outside. A connection of the
router's own that begins from such a port never gets its answers.
"""

from typing import TYPE_CHECKING

from nfmasq.config import forwards_of
from nfmasq.config.addresses import LAST_PORT
from nfmasq.diversion import others_lead_inside, read_others
from nfmasq.diversion.claims import Span, claimed_by, merge
from nfmasq.doctor.check import Check
from nfmasq.machine.local_ports import local_ports, local_range
from nfmasq.machine.sysctl import sysctl

if TYPE_CHECKING:
    from nfmasq.config import Config


def forwards(config: "Config") -> Check:
    """Ports that forwards name, against listeners and the range the kernel takes ports from for itself."""
    name = "forwards"
    claims = claimed_by(forwards_of(config.forward))
    spans = [*claims.everywhere, *((transport, ports) for _, transport, ports in claims.at)]
    own = _unreserved(merge(span for _, ports in spans for span in ports))
    if own:
        text = ",".join(f"{first}-{last}" for first, last in own)
        return Check(
            name,
            "warn",
            f"the router's own connections may begin from forwarded ports ({text}), and then get no answers",
            f"sysctl -w net.ipv4.ip_local_reserved_ports={text}, in addition to the ports reserved already",
        )
    own_sockets = local_ports(1, LAST_PORT)
    for transport, sockets in zip(("tcp", "udp"), own_sockets, strict=True):
        hidden = [
            port
            for port in sorted(sockets)
            for each, ports in spans
            if each == transport and _in(port, ports)
        ]
        if hidden:
            return Check(
                name,
                "warn",
                f"the router's own socket at {transport} {hidden[0]} is not reached by the forwarded address",
                "forward another port, or let the program listen elsewhere",
            )
    return Check(name, "ok", f"{len(config.forward)} configured, on no port of the router's own")


def default_host(config: "Config") -> Check:
    """Does the default host take what DNAT rules of others lead elsewhere?

    With engine.diversion = "none" no rule of nfmasq stands behind theirs, which would bring what they leave.
    """
    name = "default host"
    everything = any(forward.external_port is None for forward in config.forward)
    if everything and config.engine.diversion == "none" and others_lead_inside(read_others()):
        return Check(
            name,
            "warn",
            "the default host comes before DNAT rules of others, as engine.diversion is none",
            'set engine.diversion = "auto", or forward ports by number',
        )
    return Check(name, "ok", "it comes after DNAT rules of others" if everything else "there is none")


def _in(port: int, spans: tuple[Span, ...]) -> bool:
    return any(first <= port <= last for first, last in spans)


def _unreserved(spans: tuple[Span, ...]) -> list[Span]:
    """What of these ports the kernel may choose for the router's own connections."""
    low, high = local_range()
    written = sysctl("net/ipv4/ip_local_reserved_ports") or ""
    ends = [part.partition("-") for part in written.split(",") if part]
    reserved = merge((int(first), int(last or first)) for first, _, last in ends)
    chosen = [(max(first, low), min(last, high)) for first, last in spans]
    return [
        (first, last)
        for first, last in chosen
        if first <= last and not any(one <= first and last <= other for one, other in reserved)
    ]

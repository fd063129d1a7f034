"""The table as one would write it without a thought for speed: the measure for the real one.

What is stored: a dictionary of sessions, which ports rest until when, and the timeouts that held before; all
else is counted anew each time.
What a packet may become is told as a set, for the table chooses among free ports and addresses at random.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from support.packets import ACK, FIN, ICMP, RST, SYN, TCP, UDP

from nfmasq.core.policy import Filtering, Policy, Timeouts

Endpoint = tuple[IPv4Address, int]
Key = tuple[int, Endpoint, Endpoint]
"""Protocol, internal and remote endpoint."""
Place = tuple[int, IPv4Address, int]
"""Protocol and external endpoint."""

HOLD_DOWN = 120
KEPT = 3
"""The table knows by which of so many past timeouts a timer was set."""
WITH_PORTS = (TCP, UDP, ICMP)
OPEN = ("established", "fin-out", "fin-in")


@dataclass
class Session:
    """What is known of one session."""

    external: Endpoint
    expires: int
    state: str = "-"
    heard: set[str] = field(default_factory=set)
    reopening: set[str] = field(default_factory=set)
    packets: list[int] = field(default_factory=lambda: [0, 0])

    def hear(self, side: str, flags: int) -> bool:
        """Take a TCP segment of one side, "out" or "in"; True: it starts the timer anew.

        RFC 6146 section 3.5.2 in words. All segments of these tests have the numbers their receivers expect.
        """
        before, other = self.state, "in" if side == "out" else "out"
        if flags & SYN:
            counts = self.hear_second_syn(side, other) if flags & ACK else self.hear_first_syn(side, other)
        elif len(self.heard) < 2:
            counts = before == f"syn-{other}" and flags & (RST | ACK) == RST | ACK
            self.state = "reset" if counts else before
        else:
            counts = True
            self.state = self.after(side, other, flags)
        return counts and (self.state != before or before in ("syn-out", *OPEN))

    def hear_first_syn(self, side: str, other: str) -> bool:
        """A SYN without ACK."""
        if self.state in OPEN or (self.state == "reset" and len(self.heard) == 2):
            self.reopening.add(side)
            return False
        if self.state in ("-", "closing", "reset"):
            self.heard.clear()
            self.reopening.clear()
            self.state = f"syn-{side}"
        elif self.state == f"syn-{other}":
            self.state = "established"
        self.heard.add(side)
        self.reopening.discard(side)
        return True

    def hear_second_syn(self, side: str, other: str) -> bool:
        """A SYN with ACK."""
        if self.state == f"syn-{other}":
            self.heard.add(side)
        elif other in self.reopening and len(self.heard) == 2:
            self.reopening.clear()
        else:
            return False
        self.state = "established"
        return True

    def after(self, side: str, other: str, flags: int) -> str:
        """The state after a segment without SYN, when both sides were heard."""
        if flags & RST:
            return "reset" if self.state in OPEN else self.state
        if self.state == "reset":
            return "established"
        if flags & FIN:
            return {"established": f"fin-{side}", f"fin-{other}": "closing"}.get(self.state, self.state)
        return self.state


def timeout(by: Timeouts, protocol: int, state: str) -> int:
    """Seconds until a session in this state ends."""
    if protocol == TCP:
        return by.tcp_established if state in OPEN else by.tcp_transitory
    return {UDP: by.udp, ICMP: by.icmp}.get(protocol, by.other)


class Model:
    """The sessions of a router under a policy."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.sessions: dict[Key, Session] = {}
        self.resting: dict[Place, int] = {}
        self.perhaps_resting: dict[Place, int] = {}
        self.past: list[Timeouts] = []
        self.addresses = {*policy.addresses}

    def mappings(self) -> dict[tuple[int, Endpoint], Endpoint]:
        """Protocol and internal endpoint, and the external endpoint they appear as."""
        return {(protocol, internal): s.external for (protocol, internal, _), s in self.sessions.items()}

    def of_host(self, host: IPv4Address) -> tuple[int, int]:
        """How many sessions and mappings a host has."""
        return sum(k[1][0] == host for k in self.sessions), sum(k[1][0] == host for k in self.mappings())

    def taken(self) -> set[Place]:
        """External endpoints that mappings hold."""
        return {(protocol, *external) for (protocol, _), external in self.mappings().items()}

    def reserved(self, protocol: int) -> frozenset[int]:
        """Ports that local sockets hold."""
        return {TCP: self.policy.reserved_tcp, UDP: self.policy.reserved_udp}.get(protocol, frozenset())

    def free(self, protocol: int, address: IPv4Address, now: int) -> tuple[set[int], set[int]]:
        """The ports that are free for certain, and those that may be."""
        ports = {p for first, last in self.policy.ports for p in range(first, last + 1)} - self.reserved(
            protocol
        )
        places = {port: (protocol, address, port) for port in ports}
        taken = self.taken()
        maybe = {p for p in ports if places[p] not in taken and self.resting.get(places[p], 0) <= now}
        return {p for p in maybe if self.perhaps_resting.get(places[p], 0) <= now}, maybe

    def addresses_of(self, host: IPv4Address) -> set[IPv4Address]:
        """The addresses that a host's next mapping may get: the one it has, or any."""
        held = {external[0] for (_, internal), external in self.mappings().items() if internal[0] == host}
        return held or set(self.policy.addresses)

    def why_not_begin(self, protocol: int, host: IPv4Address, flags: int, reply: bool) -> str:
        """Why no session may begin at all."""
        if protocol == TCP and flags & (SYN | ACK) != SYN:
            return "tcp_no_session"
        if reply:
            return "icmp_no_session"
        if len(self.sessions) >= self.policy.limits.sessions:
            return "sessions_full"
        if 0 < self.policy.limits.sessions_per_host <= self.of_host(host)[0]:
            return "host_sessions_full"
        return ""

    def outbound(self, key: Key, now: int, flags: int = 0, reply: bool = False) -> set[str | Endpoint]:
        """All that may become of a packet that leaves: a reason, or its external endpoint."""
        protocol, internal, _ = key
        if not self.policy.addresses:
            return {"no_external_address"}
        if key in self.sessions and not reply:
            return {self.sessions[key].external}
        why_not = self.why_not_begin(protocol, internal[0], flags, reply)
        if why_not:
            return {why_not}
        return {
            outcome for address in self.addresses_of(internal[0]) for outcome in self.at(key, address, now)
        }

    def at(self, key: Key, address: IPv4Address, now: int) -> Iterator[str | Endpoint]:
        """All that may become of a first packet if this is its host's external address."""
        protocol, internal, remote = key
        taken = {(k[0], s.external[0], k[2]) for k, s in self.sessions.items() if k[0] not in WITH_PORTS}
        mapped = self.mappings().get((protocol, internal))
        if (protocol, address, remote) in taken:
            yield "portless_remote_taken"
        elif mapped:
            yield mapped
        elif 0 < self.policy.limits.ports_per_host <= self.of_host(internal[0])[1]:
            yield "host_ports_full"
        elif protocol not in WITH_PORTS:
            yield (address, 0)
        else:
            certain, maybe = self.free(protocol, address, now)
            same = {port for port in maybe if port % 2 == internal[1] % 2}
            if not {port for port in certain if port % 2 == internal[1] % 2}:
                same = maybe
            yield from ((address, port) for port in same)
            if not certain:
                yield "ports_exhausted"

    def inbound(self, protocol: int, external: Endpoint, remote: Endpoint, flags: int) -> str | Endpoint:
        """What becomes of a packet that comes in: a reason, "" for the router's own, or whose it is."""
        if not self.policy.addresses:
            return "no_external_address" if protocol in (TCP, UDP) else ""
        for (of, internal, with_), session in self.sessions.items():
            if (of, session.external, with_) == (protocol, external, remote):
                return internal
        if protocol not in WITH_PORTS:
            return ""
        owners = [key[1] for key, held in self.mappings().items() if (key[0], held) == (protocol, external)]
        unclaimed = "" if protocol == ICMP else "filtered"
        if not owners:
            return unclaimed and "no_mapping"
        spoken = [key[2] for key in self.sessions if key[:2] == (protocol, owners[0])]
        everywhere = self.policy.behaviours[-1]
        filtering = (everywhere.tcp if protocol == TCP else everywhere.udp).filtering
        by_address = filtering == Filtering.ADDRESS_DEPENDENT and remote[0] in [known[0] for known in spoken]
        if filtering != Filtering.ENDPOINT_INDEPENDENT and not by_address:
            return unclaimed
        return self.why_not_come(protocol, owners[0][0], flags) or owners[0]

    def why_not_come(self, protocol: int, host: IPv4Address, flags: int) -> str:
        """Why no session of this host may begin from outside: unanswered ones have half of each limit."""
        unanswered = [key[1][0] for key, session in self.sessions.items() if not session.packets[0]]
        limits = self.policy.limits
        why_not = self.why_not_begin(protocol, host, flags, False)
        if not why_not and 2 * len(unanswered) >= limits.sessions:
            return "sessions_full"
        if not why_not and 0 < limits.sessions_per_host <= 2 * unanswered.count(host):
            return "host_sessions_full"
        return why_not

    def see(self, key: Key, external: Endpoint, outbound: bool, flags: int, now: int) -> None:
        """A packet of this session went by, perhaps its first."""
        session = self.sessions.setdefault(
            key, Session(external, now + timeout(self.policy.timeouts, key[0], "-"))
        )
        session.packets[not outbound] += 1
        if key[0] == TCP and not session.hear("out" if outbound else "in", flags):
            return
        if key[0] != TCP and not session.packets[0]:
            return  # nobody inside takes part in it
        session.expires = now + timeout(self.policy.timeouts, key[0], session.state)

    def end(self, keys: list[Key], now: int, *, rests: bool = True) -> int:
        """End these sessions; the ports of mappings that go with them rest where anybody is let in."""
        everywhere = self.policy.behaviours[-1]
        rests &= everywhere.udp.filtering == Filtering.ENDPOINT_INDEPENDENT
        before = self.taken()
        for key in keys:
            del self.sessions[key]
        for place in before - self.taken():
            if rests and place[0] in (UDP, ICMP):
                self.resting[place] = now + HOLD_DOWN
        return len(keys)

    def evict(self, keys: list[Key], now: int) -> None:
        """The table has ended these for want of room: none of them was answered, or it is over."""
        for key in keys:
            self.require_evictable(key)
        self.end(keys, now, rests=False)

    def require_evictable(self, key: Key) -> None:
        """None but a session that was not answered, or is over, gives way."""
        session = self.sessions[key]
        assert session.state not in OPEN if key[0] == TCP else 0 in session.packets

    def set_timer(self, key: Key, expires: int) -> None:
        """The table has set a timer anew at a change of the policy: it was by timeouts of long ago."""
        self.require_evictable(key)
        session = self.sessions[key]
        today = timeout(self.policy.timeouts, key[0], session.state)
        moves = {today - timeout(past, key[0], session.state) for past in self.past[:-KEPT]}
        assert expires - session.expires in moves
        session.expires = expires

    def expire(self, now: int) -> int:
        """End what is due."""
        return self.end([key for key, session in self.sessions.items() if session.expires <= now], now)

    def flush(self, keys: list[Key], now: int) -> int:
        """End these at somebody's word. That is done by another clock, so until when ports rest is open."""
        before = dict(self.resting)
        ended = self.end(keys, now)
        self.perhaps_resting |= {
            place: due for place, due in self.resting.items() if before.get(place) != due
        }
        self.resting = before
        return ended

    def configure(self, policy: Policy, now: int) -> int:
        """Take over a policy. A change of sockets or pools leaves open which ports rest, and until when."""
        before, self.policy = self.policy, policy
        if before.timeouts != policy.timeouts:
            self.past.append(before.timeouts)
        lost = [
            key
            for key, session in self.sessions.items()
            if policy.addresses and session.external[0] not in policy.addresses
        ]
        ended = self.end(lost, now)
        self.addresses |= {*policy.addresses}  # an address that comes back finds its ports as they were
        for protocol, freed in ((TCP, before.reserved_tcp), (UDP, before.reserved_udp)):
            for address in self.addresses:
                self.perhaps_resting |= {(protocol, address, port): now + HOLD_DOWN for port in freed}
        if (before.addresses, before.ports) != (policy.addresses, policy.ports):
            self.perhaps_resting |= self.resting
            self.resting = {}
        return ended

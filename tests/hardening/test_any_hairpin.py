"""Any packets that turn round at the router, in any order: what comes of them is right, or it is nothing."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.packets import (
    ACK,
    ECHO_REPLY,
    FIN,
    ICMP,
    RST,
    SYN,
    TCP,
    UDP,
    UNREACHABLE,
    error,
    ip_sum_is_right,
    portless,
    put,
    query,
    read,
    sums_are_right,
    udp,
)
from support.router import (
    CLIENT,
    EXTERNAL,
    LAN,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    SERVER,
    Router,
    policy,
)

from hardening.segments import segment
from nfmasq.core.policy import ANY_PROTOCOL, Filtering, Forward, ForwardTarget, Mapping

WAN = 7
STRANGER = CLIENT + 1000
POOL = (EXTERNAL, OTHER_EXTERNAL)
FORWARDS = (
    Forward(6, EXTERNAL, (8080, 8089), (ForwardTarget(OTHER_CLIENT, (9080, 9089)),)),
    Forward(
        17,
        None,
        (5000, 5000),
        (ForwardTarget(CLIENT, (5000, 5000)), ForwardTarget(OTHER_CLIENT, (5000, 5000))),
    ),
    Forward(1, OTHER_EXTERNAL, (0, 65535), (ForwardTarget(CLIENT),)),
    Forward(ANY_PROTOCOL, None, (0, 65535), (ForwardTarget(OTHER_CLIENT),)),
)

hosts = st.sampled_from([CLIENT, OTHER_CLIENT])
anybody = st.sampled_from([CLIENT, OTHER_CLIENT, STRANGER, EXTERNAL, SERVER])
external = st.sampled_from(POOL)
ports = st.sampled_from([40000, 40001, 5000, 8080, 9080])
flags = st.sampled_from([SYN, SYN | ACK, ACK, FIN | ACK, RST])


class AnyHairpin(RuleBasedStateMachine):
    """Hosts speak with servers and with each other; the second pass may come late, or with another's mark."""

    router: Router

    @initialize(
        filtering=st.sampled_from(Filtering),
        mapping=st.sampled_from(Mapping),
        count=st.integers(0, len(FORWARDS)),
    )
    def begin(self, filtering: Filtering, mapping: Mapping, count: int) -> None:
        self.router = Router(
            policy(
                filtering=filtering, mapping=mapping, external=POOL, device=WAN,
                forwards=FORWARDS[:count], mss=1400,
            )
        )  # fmt: skip
        self.known = [40000, 5000, 8080]
        self.passed: list[bytes] = [udp(CLIENT, 40000, SERVER, 53)]

    @rule(host=hosts, port=ports, tcp=st.booleans())
    def speak_with_a_server(self, host: Any, port: int, tcp: bool) -> None:
        packet = segment(host, port, SERVER, 80) if tcp else udp(host, port, SERVER, 80)
        reason, sent = self.router.try_out(packet)
        if not reason:
            self.known.append(read(sent).source_port)

    @rule(host=anybody, port=ports, to=external, at=st.integers(0, 99), flags=st.one_of(st.none(), flags))
    def turn_round(self, host: Any, port: int, to: Any, at: int, flags: int | None) -> None:
        there = self.known[at % len(self.known)]
        packet = udp(host, port, to, there) if flags is None else segment(host, port, to, there, flags)
        self._check(packet)

    @rule(host=anybody, to=external, number=ports, reply=st.booleans())
    def turn_round_without_ports(self, host: Any, to: Any, number: int, reply: bool) -> None:
        self._check(query(host, to, number, ECHO_REPLY if reply else 8))
        self._check(portless(host, to))

    @rule(host=anybody, to=external, at=st.integers(0, 99), answer=st.booleans())
    def turn_an_error_round(self, host: Any, to: Any, at: int, answer: bool) -> None:
        quoted = self.passed[at % len(self.passed)]
        destination = read(quoted).source if answer else to
        self._check(error(host, destination, quoted, UNREACHABLE, 3))

    @rule(at=st.integers(0, 99))
    def answer(self, at: int) -> None:
        """The host that got a packet sends one back."""
        got = read(self.passed[at % len(self.passed)])
        if self.passed[at % len(self.passed)][9] == UDP:
            self._check(udp(got.destination, got.destination_port, got.source, got.source_port))

    @rule(host=anybody, to=hosts, mark=st.integers(0, 70), port=ports)
    def leave_with_any_mark(self, host: Any, to: Any, mark: int, port: int) -> None:
        """The second pass of what never had a first: nothing with a source of its own choice comes of it."""
        reason, sent = self.router.try_out(udp(host, port, to, port), mark=0x80000000 | mark)
        if not reason:
            assert read(sent).source in POOL

    @rule(seconds=st.sampled_from([1, 30, 300]))
    def wait(self, seconds: int) -> None:
        self.router.wait(seconds)

    @rule(at=st.integers(0, 99), where=st.integers(0, 59), what=st.integers(0, 255))
    def spoil(self, at: int, where: int, what: int) -> None:
        """Any byte of any packet wrong: no crash, and still no internal source."""
        packet = self.passed[at % len(self.passed)]
        spoilt = put(packet, where % len(packet), bytes([what]))
        reason, got = self.router.table.hairpin(spoilt, now=self.router.now)
        assert reason or got == spoilt or got[12:16] in (address.packed for address in POOL)

    @invariant()
    def no_session_is_of_a_stranger(self) -> None:
        if hasattr(self, "router"):
            assert all(row.internal[0] in LAN for row in self.router.rows())
            assert all(row.remote[0] not in LAN for row in self.router.rows())

    def _check(self, packet: bytes) -> None:
        reason, got = self.router.table.hairpin(packet, now=self.router.now)
        if reason or got == packet:
            return
        if packet[9] != ICMP:  # errors come from routers on the way too
            assert read(packet).source in (CLIENT, OTHER_CLIENT)
        assert read(got).source in POOL
        assert read(got).destination in (CLIENT, OTHER_CLIENT)
        if packet[9] not in (ICMP, TCP, UDP) and read(packet).source == CLIENT:
            assert read(got).destination == OTHER_CLIENT, "no forward leads to CLIENT"
        assert sums_are_right(got) if got[9] in (ICMP, TCP, UDP) else ip_sum_is_right(got)
        self.passed.append(got)


TestAnyHairpin = AnyHairpin.TestCase
TestAnyHairpin.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)

"""The table against the slow obvious model: the same packets, time and policies, step by step."""

from ipaddress import IPv4Address
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support.packets import (
    ACK,
    ECHO,
    ECHO_REPLY,
    ESP,
    FIN,
    GRE,
    ICMP,
    RST,
    SYN,
    TCP,
    UDP,
    portless,
    query,
    read,
    tcp,
    udp,
)
from support.router import (
    ALL,
    CLIENT,
    EXTERNAL,
    OTHER_CLIENT,
    OTHER_EXTERNAL,
    OTHER_SERVER,
    SERVER,
    Router,
    policy,
)
from support.whole import assert_whole

from nfmasq.core.policy import Filtering, Timeouts
from property.model import Endpoint, Key, Model

CAPACITY = 24
FAR_AHEAD = 1_000_000
"""The real clock never catches up with the model's: what `flush` ends by it, it ends long ago."""

CLIENTS = [CLIENT, OTHER_CLIENT, OTHER_CLIENT + 1]
SERVERS = [SERVER, OTHER_SERVER]
FLAGS = [SYN, SYN | ACK, ACK, FIN | ACK, RST, RST | ACK]

hosts, servers, flags = st.sampled_from(CLIENTS), st.sampled_from(SERVERS), st.sampled_from(FLAGS)
internal_ports, remote_ports = st.integers(40000, 40003), st.sampled_from([54, 80])
protocols = st.sampled_from([TCP, TCP, UDP, UDP, ICMP, GRE, ESP])


def key_of(protocol: int, internal: Endpoint, remote: Endpoint) -> Key:
    """These endpoints without the ports that the protocol has not."""
    if protocol in (TCP, UDP):
        return protocol, internal, remote
    return protocol, internal if protocol == ICMP else (internal[0], 0), (remote[0], 0)


keys = st.builds(key_of, protocols, st.tuples(hosts, internal_ports), st.tuples(servers, remote_ports))
any_of_them = st.integers(0, CAPACITY - 1)
seconds = st.integers(0, 3) | st.integers(0, 150) | st.integers(0, 9000)
reserved = st.frozensets(st.integers(5000, 5009), max_size=4)
policies = st.fixed_dictionaries(
    {},
    optional={
        "external": st.sampled_from([(EXTERNAL,), (EXTERNAL, OTHER_EXTERNAL), (OTHER_EXTERNAL,), ()]),
        "ports": st.sampled_from(
            [((5000, 5003),), ((5000, 5009),), ((5003, 5004), (5006, 5006)), ((5004, 5004),)]
        ),
        "filtering_tcp": st.sampled_from(Filtering),
        "filtering_udp": st.sampled_from(Filtering),
        "sessions": st.sampled_from([1, 5, CAPACITY, 1000]),
        "sessions_per_host": st.sampled_from([ALL, 1, 4]),
        "ports_per_host": st.sampled_from([ALL, 1, 3]),
        "reserved_tcp": reserved,
        "reserved_udp": reserved,
        "timeouts": st.builds(
            Timeouts,
            udp=st.integers(1, 400),
            tcp_established=st.sampled_from([500, 7440, 9000]),
            tcp_transitory=st.integers(1, 240),
            icmp=st.integers(1, 60),
            other=st.integers(1, 300),
        ),
    },
)
START: dict[str, Any] = {"ports": ((5000, 5005),), "sessions": CAPACITY}


def outbound_packet(key: Key, flag: int) -> bytes:
    """The packet of a session that leaves."""
    protocol, (host, port), (server, remote_port) = key
    if protocol == TCP:
        return tcp(host, port, server, remote_port, flag)
    if protocol == UDP:
        return udp(host, port, server, remote_port)
    if protocol == ICMP:
        return query(host, server, port, ECHO_REPLY if flag == RST else ECHO)
    return portless(host, server, protocol)


def inbound_packet(protocol: int, external: Endpoint, remote: Endpoint, flag: int) -> bytes:
    """The packet of a session that comes in."""
    if protocol == ICMP:
        return query(remote[0], external[0], external[1], ECHO_REPLY)
    return outbound_packet((protocol, remote, external), flag)


class TableMachine(RuleBasedStateMachine):
    """One router and its model, told the same."""

    @initialize(ahead=st.integers(0, 10_000))
    def begin(self, ahead: int) -> None:
        self.asked = START
        self.evicted = 0
        capped = policy(**START)
        self.router = Router(capped, CAPACITY)
        self.model = Model(capped)
        self.pass_time(FAR_AHEAD + ahead)

    @rule(passed=seconds)
    def pass_time(self, passed: int) -> None:
        ended = self.router.wait(passed)
        assert ended == self.model.expire(self.router.now)

    @rule(key=keys, flag=flags)
    def leave(self, key: Key, flag: int) -> None:
        self.leave_by(key, flag)

    @rule(protocol=st.sampled_from([TCP, UDP]), host=hosts, port=internal_ports, server=servers)
    def begin_one(self, protocol: int, host: IPv4Address, port: int, server: IPv4Address) -> None:
        self.leave_by((protocol, (host, port), (server, 80)), SYN)

    @rule(which=any_of_them, flag=flags)
    def go_on(self, which: int, flag: int) -> None:
        for key in self.one_session(which):
            self.leave_by(key, flag)

    def leave_by(self, key: Key, flag: int) -> None:
        reply = key[0] == ICMP and flag == RST
        may_be = self.model.outbound(key, self.router.now, flag, reply)
        reason, sent = self.router.try_out(outbound_packet(key, flag))
        if self.note_evicted():
            may_be |= self.model.outbound(key, self.router.now, flag, reply)
        if reason:
            assert reason in may_be
            return
        seen = read(sent)
        external = (seen.source, seen.source_port)
        assert external in may_be, f"{external} is none of {may_be}"
        self.model.see(key, external, True, flag, self.router.now)

    def note_evicted(self) -> bool:
        """Tell the model what the table has ended for want of room."""
        evicted = sum(self.router.table.counters().evicted)
        if evicted == self.evicted:
            return False
        stand = {(row.protocol, row.internal, row.remote) for row in self.router.rows()}
        gone = [key for key in self.model.sessions if key not in stand]
        assert len(gone) == evicted - self.evicted
        self.model.evict(gone, self.router.now)
        self.evicted = evicted
        return True

    @rule(which=any_of_them, flag=flags, other_port=st.booleans(), other_server=st.booleans())
    def answer(self, which: int, flag: int, other_port: bool, other_server: bool) -> None:
        for key in self.one_session(which):
            server, port = key[2]
            if other_server:
                server = SERVER if server == OTHER_SERVER else OTHER_SERVER
            if other_port and port:
                port += 1
            self.come(key[0], self.model.sessions[key].external, (server, port), flag)

    def one_session(self, which: int) -> list[Key]:
        """One that stands, if any. Its choice is no draw: what stands hangs on ports that come by chance."""
        standing = sorted(self.model.sessions)
        return [standing[which % len(standing)]] if standing else []

    @rule(protocol=st.sampled_from([TCP, UDP]), port=st.integers(4999, 5010), server=servers, flag=flags)
    def knock(self, protocol: int, port: int, server: IPv4Address, flag: int) -> None:
        self.come(protocol, (EXTERNAL, port), (server, 80), flag)

    def come(self, protocol: int, external: Endpoint, remote: Endpoint, flag: int) -> None:
        expected = self.model.inbound(protocol, external, remote, flag)
        packet = inbound_packet(protocol, external, remote, flag)
        reason, got = self.router.try_in(packet)
        if self.note_evicted():
            expected = self.model.inbound(protocol, external, remote, flag)
        if isinstance(expected, str):
            assert (reason, got == packet) == (expected, expected == "")
            return
        assert reason == ""
        assert read(got)[2:] == expected
        self.model.see((protocol, expected, remote), external, False, flag, self.router.now)

    @rule(host=st.none() | hosts)
    def flush(self, host: IPv4Address | None) -> None:
        keys = [key for key in self.model.sessions if host in (None, key[1][0])]
        assert self.router.table.flush(host) == self.model.flush(keys, self.router.now)

    @rule(changes=policies)
    def configure(self, changes: dict[str, Any]) -> None:
        self.asked = self.asked | changes
        rules = policy(**self.asked)
        ended = self.router.table.configure(rules)
        capped = policy(**self.asked | {"sessions": min(rules.limits.sessions, CAPACITY)})
        assert ended == self.model.configure(capped, self.router.now)
        self.note_timers()

    def note_timers(self) -> None:
        """Tell the model which timers the table has set anew."""
        for row in self.router.rows():
            key, expires = (row.protocol, row.internal, row.remote), row.expires_s + self.router.now
            if key in self.model.sessions and self.model.sessions[key].expires != expires:
                self.model.set_timer(key, expires)

    @invariant()
    def the_same_sessions_stand(self) -> None:
        told = {
            (row.protocol, row.internal, row.remote): (
                row.external,
                row.expires_s + self.router.now,
                row.state,
                [row.packets_out, row.packets_in],
            )
            for row in self.router.rows()
        }
        assert told == {
            key: (s.external, s.expires, s.state, s.packets) for key, s in self.model.sessions.items()
        }

    @invariant()
    def the_table_is_whole(self) -> None:
        assert_whole(self.router.table)
        for host, used in self.router.table.hosts().items():
            assert used == self.model.of_host(host)


TableMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True
)
TestTable = TableMachine.TestCase

"""One who takes more than a share: nothing that lives is ended, and others do not notice (RFC 6888)."""

from collections import Counter
from ipaddress import IPv4Address

import pytest
from support.packets import ACK, SYN, query, read, udp
from support.router import CLIENT, EXTERNAL, LAN, OTHER_CLIENT, SERVER, Router, policy
from support.whole import assert_whole

from hardening.segments import segment
from nfmasq.core.policy import Timeouts

GREEDY, MODEST = CLIENT, OTHER_CLIENT
SHARE = 1000


@pytest.mark.parametrize("limit", ["sessions_per_host", "ports_per_host"])
def test_a_host_that_opens_every_port_gets_its_share_alone(limit: str) -> None:
    """One host opens 64k flows.

    Past its share each is dropped with a reason; those it has live on, and another host gets its own.
    """
    router = Router(policy(sessions=70000, **{limit: SHARE}), capacity=70000)
    reasons = Counter(router.try_out(udp(GREEDY, port, SERVER, 53))[0] for port in range(1, 65536))
    full = "host_sessions_full" if limit == "sessions_per_host" else "host_ports_full"
    assert reasons == {"": SHARE, full: 65535 - SHARE}
    for port in range(40000, 40000 + SHARE):
        assert router.out(udp(MODEST, port, SERVER, 53))
    for port in range(1, SHARE + 1):
        assert router.out(udp(GREEDY, port, SERVER, 53))
    assert_whole(router.table)


def test_a_host_that_opens_many_flows_of_every_protocol_gets_its_share_alone() -> None:
    """One host opens 64k flows.

    The share is of all its sessions together.
    """
    router = Router(policy(sessions=10000, sessions_per_host=300), capacity=10000)
    for number in range(1, 1001):
        for packet in (
            segment(GREEDY, number, SERVER, 80),
            udp(GREEDY, number, SERVER, 53),
            query(GREEDY, SERVER, number),
        ):
            router.try_out(packet)
    assert router.table.hosts()[GREEDY][0] == 300
    assert router.out(segment(MODEST, 1, SERVER, 80))


class Established:
    """A hundred connections of MODEST that must go on, whatever others do."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self.external = {port: self._open(port) for port in range(40000, 40100)}

    def _open(self, port: int) -> int:
        near = read(self.router.out(segment(MODEST, port, SERVER, 80, sequence=100))).source_port
        self.router.into(segment(SERVER, 80, EXTERNAL, near, SYN | ACK, sequence=500, acknowledged=101))
        self.router.out(segment(MODEST, port, SERVER, 80, ACK, sequence=101, acknowledged=501))
        return near

    def go_on(self) -> None:
        """Data out, and its acknowledgment back, for each."""
        for port, near in self.external.items():
            data = segment(MODEST, port, SERVER, 80, ACK, sequence=101, acknowledged=501, payload=b"on")
            assert self.router.out(data)
            assert self.router.into(segment(SERVER, 80, EXTERNAL, near, ACK, sequence=501, acknowledged=103))


@pytest.mark.parametrize(
    ("limits", "room", "reason"),
    [({}, 900, "sessions_full"), ({"half_open": 500}, 500, "half_open_full")],
    ids=["no limit of its own", "500 half open"],
)
def test_a_flood_of_syns_ends_no_connection(limits: dict[str, int], room: int, reason: str) -> None:
    """SYN flood from many spoofed inside sources.

    Every address of the network takes part. What is established survives and goes on; when the flood's
    half-open sessions have ended there is room again.
    """
    router = Router(policy(sessions=1000, **limits), capacity=1000)
    established = Established(router)
    sources = [host for host in LAN.hosts() if host != MODEST]
    reasons: Counter[str] = Counter()
    for number in range(20000):
        source, port = sources[number % len(sources)], 1024 + number // len(sources)
        reasons[router.try_out(segment(source, port, SERVER + number % 7, 80))[0]] += 1
    assert reasons == {"": room, reason: 20000 - room}
    established.go_on()
    assert_whole(router.table)
    router.wait(Timeouts().tcp_transitory)
    assert len(router.rows()) == len(established.external)
    assert router.out(segment(MODEST, 50000, SERVER, 80))


def test_a_host_that_floods_with_syns_leaves_room_for_others() -> None:
    """SYN flood from many spoofed inside sources.

    One that uses its own address has a limit of its own, and what it had established goes on too.
    """
    router = Router(policy(sessions=1000, half_open_per_host=20), capacity=1000)
    established = Established(router)
    reasons = Counter(
        router.try_out(segment(host, 1024 + number, SERVER, 80))[0]
        for number in range(100)
        for host in (GREEDY, MODEST)
    )
    assert reasons == {"": 40, "host_half_open_full": 160}
    established.go_on()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"new_per_second": 50}, "rate_exceeded"), ({"new_per_second_per_host": 50}, "host_rate_exceeded")],
    ids=["in all", "a host"],
)
def test_a_host_that_begins_many_sessions_at_once_is_held_back(limits: dict[str, int], reason: str) -> None:
    """One host opens 64k flows.

    So many begin within a second, and in the next as many again; what has begun goes on.
    """
    router = Router(policy(sessions=1000, **limits), capacity=1000)
    for start in (1024, 2048):
        reasons = Counter(router.try_out(udp(GREEDY, start + number, SERVER, 53))[0] for number in range(200))
        assert reasons == {"": 50, reason: 150}
        if "new_per_second_per_host" in limits:
            assert router.out(udp(MODEST, start, SERVER, 53))
        assert router.out(udp(GREEDY, 1024, SERVER, 53))
        router.wait(1)


def _from_outside(router: Router, tcp: bool) -> Counter[str]:
    """What becomes of a thousand sessions a server begins with the one host that asked it."""
    near = read(router.out(segment(GREEDY, 9, SERVER, 80) if tcp else udp(GREEDY, 9, SERVER, 80))).source_port
    return Counter(
        router.try_in(segment(SERVER, port, EXTERNAL, near) if tcp else udp(SERVER, port, EXTERNAL, near))[0]
        for port in range(1000, 2000)
    )


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    "limits",
    [
        {"sessions_per_host": 100},
        {"sessions": 100},
        {"new_per_second": 100},
        {"new_per_second_per_host": 100},
        {"half_open": 100},
        {"half_open_per_host": 100},
    ],
    ids=str,
)
def test_an_outsider_uses_up_no_more_than_half_of_a_limit(limits: dict[str, int], tcp: bool) -> None:
    """One host opens 64k flows.

    From outside, through a mapping that stands: the host behind it can still begin sessions of its own.
    """
    router = Router(policy(**{"sessions": 5000, **limits}), capacity=5000)
    passed = _from_outside(router, tcp)[""]
    assert 0 < passed <= 50 or (not tcp and any("half" in limit for limit in limits))
    for port in range(40000, 40040):
        assert router.out(segment(GREEDY, port, SERVER, 443) if tcp else udp(GREEDY, port, SERVER, 443))


def test_a_flood_of_refused_packets_is_not_answered_by_a_flood() -> None:
    """One host opens 64k flows.

    It is told so by ICMP, a bounded number of times a second; so are others in the seconds after.
    """
    router = Router(policy(sessions_per_host=1))
    router.out(udp(GREEDY, 1, SERVER, 53))
    told = []
    for _ in range(3):
        for port in range(2, 5000):
            assert router.try_out(udp(GREEDY, port, SERVER, 53))[0] == "host_sessions_full"
        told.append(len(router.table.refusals(router.now)))
        router.wait(1)
    assert all(0 < count <= 256 for count in told)
    assert router.table.refusals(router.now) == []


def test_a_flood_of_syns_from_outside_is_not_answered_by_a_flood() -> None:
    """SYN flood from many spoofed inside sources.

    From outside it meets no mapping and leaves no state but a bounded queue of late refusals.
    """
    router = Router()
    for number in range(20000):
        assert router.try_in(segment(SERVER + number, 80, EXTERNAL, 1024 + number, SYN))[0] == "no_mapping"
    assert router.rows() == []
    router.wait(8)
    assert 0 < len(router.table.refusals(router.now)) <= 1024


def test_the_hash_is_another_in_every_table() -> None:
    """Hash flooding of the flow table.

    Nobody outside can tell which tuples collide: which address of a pool a host is given shows the hash of
    its address, and it differs from table to table and from host to host.
    """
    pool = tuple(IPv4Address("198.18.0.0") + number for number in range(4))
    seen: dict[IPv4Address, list[IPv4Address]] = {}
    for _ in range(64):
        router = Router(policy(external=pool, sessions=64))
        for host in (CLIENT, OTHER_CLIENT):
            seen.setdefault(host, []).append(read(router.out(udp(host, 40000, SERVER, 53))).source)
    for addresses in seen.values():
        assert set(addresses) == set(pool)
    apart = [int(one) - int(two) for one, two in zip(*seen.values(), strict=True)]
    assert len(set(apart)) > 3

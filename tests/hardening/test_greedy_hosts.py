"""One internal host never takes the network from the others, under the default policy (RFC 6888 REQ-4).

Beside each attack, and after it, others begin all the sessions they ask for, and none they have is lost. On
the bare table a hundred hosts are at work meanwhile, and the clock is moved by hand.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from itertools import count, islice

import pytest
from support.packets import GRE, SYN, portless, query, read, tcp, udp
from support.router import EXTERNAL, Router
from support.whole import assert_whole

from hardening.attacks import ATTACKS, Attack, questions_to_a_name_server, spoofed
from nfmasq.core.policy import Policy, Timeouts, Uplink

NETWORK = IPv4Network("192.168.0.0/16")
ATTACKER = IPv4Address("192.168.7.7")
HOSTS = [IPv4Address("192.168.9.1") + number for number in range(100)]
LATE = [IPv4Address("192.168.10.1") + number for number in range(20)]
"""They have nothing before the attack."""
SERVER, OTHER_SERVER = IPv4Address("198.51.100.1"), IPv4Address("198.51.100.2")
A_SECOND = 5000
"""Packets of the attack."""
SESSIONS = 1_000_000
FEW_SESSIONS = 12_000
"""4000 of them are the normal load's."""


def default(capacity: int = SESSIONS) -> Router:
    """The default policy, and room for so many sessions."""
    return Router(Policy(uplinks=(Uplink.pool(EXTERNAL),), internal=(NETWORK,)), capacity=capacity)


class Work:
    """The normal load: each of a hundred hosts has 40 sessions that are answered, and begins others."""

    def __init__(self, router: Router) -> None:
        self.router = router
        self._fresh: Iterator[int] = count(1)
        self.kept = {
            (host, 20_000 + number): self._begin(host, 20_000 + number)
            for host in HOSTS
            for number in range(40)
        }

    def _begin(self, host: IPv4Address, port: int) -> int:
        near = read(self.router.out(udp(host, port, OTHER_SERVER, 443))).source_port
        self.router.into(udp(OTHER_SERVER, 443, EXTERNAL, near))
        return near

    def begun(self) -> int:
        """How many of twenty new sessions others can begin, with the server that is flooded and another."""
        port = 30_000 + next(self._fresh)
        packets = [
            *(udp(host, port, SERVER, 80) for host in LATE[:5]),
            *(tcp(host, port, SERVER, 80, SYN) for host in LATE[5:10]),
            *(query(host, SERVER, port) for host in HOSTS[:5]),
            *(udp(host, port, OTHER_SERVER, 53) for host in HOSTS[10:15]),
        ]
        return [self.router.try_out(packet)[0] for packet in packets].count("")

    def all_kept(self) -> bool:
        """Do all answered sessions have the ports they had?"""
        return all(
            read(self.router.out(udp(host, port, OTHER_SERVER, 443))).source_port == near
            for (host, port), near in self.kept.items()
        )


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_others_begin_beside_an_attack_and_after_it(attack: Attack) -> None:
    router = default()
    work = Work(router)
    packets = attack(ATTACKER, SERVER)
    while now := list(islice(packets, A_SECOND)):
        for packet in now:
            router.try_out(packet)
        assert work.begun() == 20
        router.now += 1
    for _ in range(3):
        router.now += 5
        assert work.begun() == 20
    assert work.all_kept()
    assert_whole(router.table)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_others_begin_where_there_is_room_for_few_sessions(attack: Attack) -> None:
    """On a small machine the table is full before the ports are."""
    router = default(FEW_SESSIONS)
    work = Work(router)
    packets = attack(ATTACKER, SERVER)
    while now := list(islice(packets, A_SECOND // 5)):
        for packet in now:
            router.try_out(packet)
        assert work.begun() == 20
        router.now += 1
    assert work.all_kept()
    assert_whole(router.table)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_others_begin_though_an_attack_takes_no_longer_than_a_second(attack: Attack) -> None:
    router = default()
    work = Work(router)
    for packet in attack(ATTACKER, SERVER):
        router.try_out(packet)
    assert work.begun() == 20 or attack.__name__.endswith("spoofed_sources")
    router.now += 1
    for _ in range(3):
        router.now += 1
        assert work.begun() == 20
    assert work.all_kept()


def test_others_begin_beside_a_million_endpoints_from_one_port() -> None:
    router = default()
    work = Work(router)
    sent = 0
    for number in range(20):
        for port in range(1, 60_001):
            sent += router.try_out(udp(ATTACKER, 2000, SERVER + number, port))[0] == ""
        assert work.begun() == 20
        router.now += 1
    assert 0.85 * SESSIONS < sent < 0.9 * SESSIONS
    assert work.all_kept()


def test_a_resolver_that_asks_600_questions_a_second_is_answered_and_so_are_others() -> None:
    """Each from another port, for ten minutes."""
    router = default()
    work = Work(router)
    port = 0
    for _ in range(600):
        for _ in range(600):
            port = port % 60_000 + 1
            near = read(router.out(udp(ATTACKER, port, SERVER, 53))).source_port
            router.into(udp(SERVER, 53, EXTERNAL, near))
        router.wait(1)
        if port % 6000 == 0:
            assert work.begun() == 20
    assert router.table.gauges().borrowing == 0


def test_all_attacks_together_and_a_resolver_take_nothing_from_the_others() -> None:
    router = default()
    work = Work(router)
    attacks = [attack(ATTACKER + number, SERVER) for number, attack in enumerate(ATTACKS)]
    questions = questions_to_a_name_server(HOSTS[0], OTHER_SERVER)
    turn = 0
    for _ in range(20):
        for packets in zip(*attacks, questions, strict=False):
            for packet in packets:
                router.try_out(packet)
            turn += 1
            if turn % 400 == 0:
                break
        router.now += 1
        assert work.begun() == 20
    assert work.all_kept()


def test_one_host_alone_can_use_nearly_everything() -> None:
    """Ports of all transports, and more sessions by sharing them; nobody else is there."""
    router = default()
    capacity = router.table.gauges().ports_capacity
    for port in range(60_000):
        router.try_out(udp(ATTACKER, 1 + port, SERVER + port, 80))
        router.try_out(tcp(ATTACKER, 1 + port, SERVER + port, 80, SYN))
        router.try_out(query(ATTACKER, SERVER + port, 1 + port))
    gauges = router.table.gauges()
    assert all(used > 0.88 * most for used, most in zip(gauges.ports_in_use[:3], capacity[:3], strict=True))
    assert gauges.sessions[:3] == (60_000,) * 3, "none is refused while its remote endpoint has a port free"


def test_a_tunnel_that_nobody_answers_keeps_nobody_from_the_remote_host() -> None:
    router = default()
    router.out(portless(ATTACKER, SERVER, GRE))
    router.now += 2
    assert router.out(portless(HOSTS[0], SERVER, GRE))


def test_what_an_attack_left_is_gone_with_its_timers() -> None:
    router = default()
    for source, port in spoofed(ATTACKER):
        router.try_out(udp(source, port, SERVER, 80))
    assert router.wait(Timeouts().udp) > 30_000
    assert router.table.gauges().ports_in_use == (0, 0, 0, 0)

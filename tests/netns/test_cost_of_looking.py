"""What it costs to follow the machine: processor time beside many routes, programs started, and how soon."""

import os
import time
from collections.abc import Iterable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.situations import BY_KERNEL, change_address, daemon_of, have_addresses, until_seen_as

from netns.conftest import MakeLab
from nfmasq.lab.foreign import iptables
from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, ISP
from nfmasq.lab.waiting import wait_until

pytestmark = pytest.mark.skipif(BY_KERNEL, reason="there is no daemon to measure")

ROUTES = 100_000
IDLE, BUSY = 0.005, 0.05
"""Of a processor."""
FOLLOWED_S = 0.2
ADDRESSES = tuple(IPv4Address("203.0.113.70") + number for number in range(3))
MESH_HOST = IPv4Address("172.20.1.1")


def routes(many: int, verb: str = "add") -> Iterable[str]:
    """Routes by the uplink to every other /24 from 10.0.0.0 on."""
    for n in range(0, 2 * many, 2):
        yield f"route {verb} {10 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24 via {ISP} dev wan0"


def many_routes(lab: Lab) -> None:
    """A full table, as a routing daemon keeps it, and a host behind client2."""
    lab.topology.router.ip(*routes(ROUTES))
    have_addresses(lab.topology.client2, [MESH_HOST], 32)


class Meter:
    """Counts what a process and the children it waited for use."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.reset()

    def reset(self) -> None:
        """Count from now on."""
        self._began, self._before = time.monotonic(), self._read()

    def share(self) -> float:
        """Of a processor, since the reset."""
        used = sum(now - then for now, then in zip(self._read()[:4], self._before[:4], strict=True))
        return used / os.sysconf("SC_CLK_TCK") / (time.monotonic() - self._began)

    def faults_of_children(self) -> int:
        """Page faults of children that ended: no program starts without any."""
        return self._read()[4] - self._before[4]

    def _read(self) -> tuple[int, ...]:
        fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (*map(int, fields[11:15]), int(fields[8]))


@pytest.fixture
def big(make_lab: MakeLab) -> Lab:
    """A lab whose router has a full table."""
    return make_lab(prepare=many_routes, also_external=ADDRESSES)


def test_an_idle_daemon_beside_a_hundred_thousand_routes_costs_nothing(big: Lab) -> None:
    def is_idle() -> bool:
        meter = Meter(daemon_of(big).pid)
        time.sleep(4)
        return meter.share() <= IDLE and meter.faults_of_children() == 0

    wait_until(is_idle, "a daemon that starts no program and takes no time", 60)


def test_five_changes_a_second_cost_little_and_are_followed_soon(big: Lab) -> None:
    time.sleep(3)
    net = big.topology
    meter = Meter(daemon_of(big).pid)
    for number in range(40):
        net.router.ip(f"route {'del' if number % 2 else 'add'} 172.31.99.0/24 via {ISP}")
        time.sleep(0.19)
    assert meter.share() <= BUSY
    took, now = [], EXTERNAL
    for address in ADDRESSES:
        change_address(net, now, address)
        took.append(until_seen_as(net.client1, address, each=0.03))
        now = address
    assert min(took) <= FOLLOWED_S, took


def test_an_inner_network_is_followed_beside_a_full_table(big: Lab) -> None:
    net = big.topology
    net.router.ip(f"route add 172.20.0.0/16 via {CLIENT2} dev lan0")
    until_seen_as(net.client2, EXTERNAL, source=MESH_HOST)


def test_a_burst_that_loses_events_ends_in_the_right_state(make_lab: MakeLab) -> None:
    """Forty thousand events in a moment are more than a socket's buffer holds: what is so is read anew."""
    lab = make_lab()
    net = lab.topology
    have_addresses(net.client2, [MESH_HOST], 32)
    net.router.ip(
        *routes(20_000), f"route add 172.20.0.0/16 via {CLIENT2} dev lan0", *routes(20_000, verb="del")
    )
    until_seen_as(net.client2, EXTERNAL, patience=5, source=MESH_HOST)


def test_after_changes_of_others_rules_it_is_idle_again(make_lab: MakeLab) -> None:
    """A container engine lays and removes rules; ours stand, and are not looked at when that is over."""
    lab = make_lab()
    for number in range(16):
        verb = "-D" if number % 2 else "-A"
        iptables(lab.topology.router, f"-t nat {verb} POSTROUTING -o docker0 -j RETURN")
        time.sleep(0.18)
    time.sleep(2)
    meter = Meter(daemon_of(lab).pid)
    time.sleep(4)
    assert meter.share() <= 2 * IDLE
    assert meter.faults_of_children() == 0
    until_seen_as(lab.topology.client1, EXTERNAL)

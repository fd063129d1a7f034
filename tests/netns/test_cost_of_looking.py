"""What follows the machine: beside many routes, and without starting programs."""

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


def programs_started(lab: Lab) -> int:
    """Page faults of the daemon's children that ended: no program starts without any."""
    stat = Path(f"/proc/{daemon_of(lab).pid}/stat").read_text(encoding="ascii")
    return int(stat.rpartition(")")[2].split()[8])


def becomes_idle(lab: Lab) -> None:
    """Wait until a few seconds pass in which the daemon starts no program."""

    def is_idle() -> bool:
        before = programs_started(lab)
        time.sleep(3)
        return programs_started(lab) == before

    wait_until(is_idle, "a daemon that starts no program", 60)


@pytest.fixture
def big(make_lab: MakeLab) -> Lab:
    """A lab whose router has a full table."""
    return make_lab(prepare=many_routes, also_external=ADDRESSES)


def test_an_idle_daemon_beside_a_hundred_thousand_routes_starts_no_program(big: Lab) -> None:
    becomes_idle(big)


def test_changes_of_outside_routes_start_no_program(big: Lab) -> None:
    net = big.topology
    becomes_idle(big)
    before = programs_started(big)
    for number in range(40):
        net.router.ip(f"route {'del' if number % 2 else 'add'} 172.31.99.0/24 via {ISP}")
        time.sleep(0.19)
    assert programs_started(big) == before


def test_changes_of_the_address_are_followed_beside_a_full_table(big: Lab) -> None:
    now = EXTERNAL
    for address in ADDRESSES:
        change_address(big.topology, now, address)
        until_seen_as(big.topology.client1, address, patience=10, each=0.03)
        now = address


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
    becomes_idle(lab)
    until_seen_as(lab.topology.client1, EXTERNAL)

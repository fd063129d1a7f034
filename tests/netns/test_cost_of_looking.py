"""What follows the machine: beside many routes, and without starting programs."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
OUTSIDE, INSIDE = f"via {ISP} dev wan0", f"via {CLIENT2} dev lan0"
MESH_HOST = IPv4Address("172.20.1.1")


def routes(many: int, verb: str = "add", way: str = OUTSIDE) -> Iterable[str]:
    """Routes to every other /24 from 10.0.0.0 on."""
    for n in range(0, 2 * many, 2):
        yield f"route {verb} {10 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24 {way}"


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


@contextmanager
def changing(change: Callable[[bool], object]) -> Iterator[None]:
    """Five changes a second meanwhile; each call does, or undoes what the one before did."""
    over = threading.Event()

    def change_on() -> None:
        for number in itertools.count():
            if over.wait(0.2):
                break
            change(bool(number % 2))

    thread = threading.Thread(target=change_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


CHANGES: dict[str, Callable[[Lab, bool], object]] = {
    "rules of others": lambda lab, undo: iptables(
        lab.topology.router, f"-t nat {'-D' if undo else '-A'} POSTROUTING -o docker0 -j RETURN"
    ),
    "a table of nft": lambda lab, undo: lab.topology.router.run(
        "nft", "delete table inet other" if undo else "add table inet other"
    ),
    "an inside route": lambda lab, undo: lab.topology.router.ip(
        f"route {'del' if undo else 'add'} 10.250.1.0/25 {INSIDE}"
    ),
    "a link": lambda lab, undo: lab.topology.router.ip(
        "link del veth7" if undo else "link add veth7 type veth peer name veth8"
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_rules_of_ours_that_are_flushed_come_back_while_others_change(make_lab: MakeLab, what: str) -> None:
    """Looks at others' rules may wait. What is gone of ours may not."""
    lab = make_lab()
    with changing(lambda undo: CHANGES[what](lab, undo)):
        for flush in ("nft flush ruleset", "nft delete table ip nfmasq_guard"):
            time.sleep(1)
            before = daemon_of(lab).api("/v1/status")["rules"]["reinstalled"]
            lab.topology.router.run(*flush.split())
            wait_until(
                lambda before=before: daemon_of(lab).api("/v1/status")["rules"]["reinstalled"] > before,  # type: ignore[misc]
                "rules that are reinstalled",
            )
    until_seen_as(lab.topology.client1, EXTERNAL)
    assert lab.sentinel.leaks == []


@pytest.mark.parametrize("what", CHANGES)
def test_beside_a_full_table_inside_addresses_are_followed_while_something_changes(
    make_lab: MakeLab, what: str
) -> None:
    lab = make_lab(
        prepare=lambda lab: lab.topology.router.ip(*routes(ROUTES, way=INSIDE)), also_external=ADDRESSES
    )
    now = EXTERNAL
    with changing(lambda undo: CHANGES[what](lab, undo)):
        for address in ADDRESSES:
            change_address(lab.topology, now, address)
            until_seen_as(lab.topology.client1, address, patience=10, each=0.03)
            now = address
    becomes_idle(lab)


def test_another_inside_network_is_translated_while_routes_change(
    make_lab: MakeLab,
) -> None:
    """The core knows it immediately, though the rules may wait."""
    lab = make_lab()
    net = lab.topology
    have_addresses(net.client2, [MESH_HOST], 32)
    with changing(lambda undo: CHANGES["an inside route"](lab, undo)):
        time.sleep(2)
        net.router.ip(f"route add 172.20.0.0/16 {INSIDE}")
        until_seen_as(net.client2, EXTERNAL, source=MESH_HOST)
    becomes_idle(lab)


def test_a_lead_inside_of_others_is_seen_though_their_rules_change_all_the_time(make_lab: MakeLab) -> None:
    lab = make_lab()
    with changing(lambda undo: CHANGES["rules of others"](lab, undo)):
        time.sleep(1)
        iptables(
            lab.topology.router, "-t nat -A PREROUTING -p tcp --dport 9 -j DNAT --to-destination 10.0.0.9"
        )
        wait_until(lambda: "dnat" in rules_of(lab).lower(), "rules that let the answers by", 20)


def rules_of(lab: Lab) -> str:
    """Our own rules, by whatever program they were laid."""
    saved = lab.topology.router.run("iptables-save") + lab.topology.router.run("nft", "list", "ruleset")
    return "\n".join(line for line in saved.splitlines() if "nfmasq-out" in line or "ct status dnat" in line)

"""One interface, network or route that is missing or odd: the others go on, and the status names it."""

from ipaddress import IPv4Address

import pytest
from support.situations import (
    assert_served,
    change_address,
    daemon_of,
    have_addresses,
    nfmasq_only,
    problems,
    until_seen_as,
)

from netns.conftest import MakeLab
from nfmasq.lab.dial import Dial, prepare_dialling
from nfmasq.lab.foreign import nft
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace, join
from nfmasq.lab.probes import address_seen
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER2
from nfmasq.lab.waiting import wait_until

CHANGED = IPv4Address("203.0.113.77")
WIRELESS = IPv4Address("192.168.8.1")
TWO_INSIDE = {"nat": {"internal": ["lan0", "wlan0"]}}
DIALLED = IPv4Address("100.64.9.2")


def add_wireless(lab: Lab) -> Namespace:
    """A second internal interface with a host behind it."""
    host = lab.enter(Namespace("wireless host"))
    router = lab.topology.router
    join(router, "wlan0", host, "eth0")
    router.ip(f"address add {WIRELESS}/24 dev wlan0")
    router.sysctl("ipv4/conf/wlan0/rp_filter", 0)
    host.ip(f"address add {WIRELESS + 1}/24 dev eth0", f"route add default via {WIRELESS}")
    return host


def test_an_internal_interface_that_goes_leaves_the_others_served(make_lab: MakeLab) -> None:
    """Meanwhile the external address changes, and the daemon is started anew."""
    lab = make_lab(prepare=add_wireless, config=TWO_INSIDE, also_external=(CHANGED,))
    net = lab.topology
    net.router.ip("link del wlan0")
    assert_served(lab)
    if lab.daemon is not None:
        wait_until(lambda: "wlan0" in problems(lab), "the status to name the interface")
    change_address(net, EXTERNAL, CHANGED)
    until_seen_as(net.client1, CHANGED)
    if lab.daemon is not None:
        lab.daemon.stop()
        lab.daemon.start()
        assert "wlan0" in problems(lab)
    assert_served(lab, CHANGED)


def test_an_internal_interface_that_comes_later_is_served_then(make_lab: MakeLab) -> None:
    lab = make_lab(config=TWO_INSIDE)
    assert_served(lab)
    if lab.daemon is not None:
        assert "wlan0" in problems(lab)
    host = add_wireless(lab)
    until_seen_as(host, EXTERNAL)
    assert_served(lab)
    if lab.daemon is not None:
        wait_until(lambda: "wlan0" not in problems(lab), "the status to be well")


def test_an_external_interface_that_comes_after_the_start_is_used(make_lab: MakeLab) -> None:
    lab = make_lab(
        prepare=lambda lab: prepare_dialling(lab.topology),
        config={"nat": {"external": "ppp0"}},
        kernel_rules=("-t nat -A POSTROUTING -o ppp0 -j MASQUERADE",),
    )
    if lab.daemon is not None:
        assert "ppp0" in problems(lab)
    with Dial(lab.topology, DIALLED) as dial:
        until_seen_as(lab.topology.client1, DIALLED)
        assert not dial.strangers


@nfmasq_only("the kernel has no status")
def test_a_reload_takes_an_interface_that_does_not_exist(make_lab: MakeLab) -> None:
    lab = make_lab()
    daemon = daemon_of(lab)
    daemon.write_config({"nat": {"internal": ["lan0", "wlan7"]}})
    assert daemon.api("/v1/reload", "POST")["reloaded"]
    assert "wlan7" in problems(lab)
    assert_served(lab)


def test_a_hundred_networks_inside_are_all_served(make_lab: MakeLab) -> None:
    networks = [f"10.{n}.{2 * n}" for n in range(1, 101)]
    hosts = [f"{network}.5" for network in networks]
    lab = make_lab(also_external=(CHANGED,))
    net = lab.topology
    net.router.ip(*(f"route add {network}.0/24 via {CLIENT1} dev lan0" for network in networks))
    have_addresses(net.client1, hosts, 32)
    until_seen_as(net.client1, EXTERNAL, source=hosts[-1])
    assert {address_seen(net.client1, SERVER2, source=host) for host in hosts} == {str(EXTERNAL)}
    change_address(net, EXTERNAL, CHANGED)
    until_seen_as(net.client1, CHANGED)
    assert address_seen(net.client1, SERVER2, source=hosts[50]) == str(CHANGED)


def test_more_networks_than_the_limit_collapse_and_the_status_says_so(make_lab: MakeLab) -> None:
    networks = [f"10.{n // 64}.{n % 64 * 4}" for n in range(0, 10_000, 2)]
    lab = make_lab()
    net = lab.topology
    net.router.ip(*(f"route add {network}.0/28 via {CLIENT1} dev lan0" for network in networks))
    hosts = [f"{network}.5" for network in networks[::500]]
    have_addresses(net.client1, hosts, 32)
    until_seen_as(net.client1, EXTERNAL, patience=5, source=hosts[-1])
    assert {address_seen(net.client1, SERVER2, source=host) for host in hosts} == {str(EXTERNAL)}
    assert_served(lab)
    if lab.daemon is not None:
        wait_until(lambda: "networks" in problems(lab), "the status to name the limit")


@pytest.mark.parametrize(
    "odd",
    [
        "route add 10.66.0.0/16 nexthop via 203.0.113.1 dev wan0 nexthop via 192.168.1.20 dev lan0",
        "route add throw 10.66.0.0/16 table 77",
        "route add 10.66.0.0/16 dev lan0 scope link proto 99 metric 4000000000",
        "address add 0.0.0.0/8 dev lan0",
        "address add 10.66.0.1 peer 10.66.0.2/32 dev lan0",
    ],
    ids=["multipath", "throw", "metric", "zero-address", "peer"],
)
def test_one_odd_route_or_address_freezes_nothing(make_lab: MakeLab, odd: str) -> None:
    lab = make_lab(also_external=(CHANGED,))
    net = lab.topology
    net.router.ip(odd)
    change_address(net, EXTERNAL, CHANGED)
    until_seen_as(net.client1, CHANGED)
    assert_served(lab, CHANGED)


def test_a_route_by_a_nexthop_object_counts_as_its_device(make_lab: MakeLab) -> None:
    host = IPv4Address("10.66.0.5")
    lab = make_lab()
    net = lab.topology
    have_addresses(net.client2, [host], 32)
    net.router.ip(f"nexthop add id 7 via {CLIENT2} dev lan0", "route add 10.66.0.0/16 nhid 7")
    until_seen_as(net.client2, EXTERNAL, source=host)


@nfmasq_only("the kernel's rules do not come back by themselves")
def test_flushed_rules_come_back_while_an_interface_is_away(make_lab: MakeLab) -> None:
    lab = make_lab(prepare=add_wireless, config=TWO_INSIDE)
    net = lab.topology
    net.router.ip("link del wlan0")
    wait_until(lambda: "wlan0" in problems(lab), "the status to name the interface")
    nft(net.router, "flush ruleset\n")
    until_seen_as(net.client1, EXTERNAL)
    lab.sentinel.take()
    assert_served(lab)
    lab.topology.router.ip("address flush dev wan0")
    lab.sentinel.take()
    assert address_seen(net.client1, SERVER2, patience=0.5) == "nobody"
    assert not [leak for leak in lab.sentinel.take() if not leak.startswith("ARP")], "the guard is away"

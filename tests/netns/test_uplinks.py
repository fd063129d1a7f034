"""More than one uplink: a packet gets an address of the interface it leaves by, sessions stay with theirs."""

from ipaddress import IPv4Address

import pytest
from support.situations import Call, assert_served, nfmasq_only, until_seen_as

from netns.conftest import MakeLab
from nfmasq.lab.clients import ask
from nfmasq.lab.foreign import iptables
from nfmasq.lab.lab import Lab
from nfmasq.lab.neighbours import containers, second_uplink
from nfmasq.lab.probes import KINDS, address_seen, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, INTERNAL, ISP, SERVER1, SERVER2
from nfmasq.lab.uplink import ADDRESS, GATEWAY, NAME, add_uplink, plug_in, pull
from nfmasq.lab.waiting import wait_until

FAILOVER_S = 1.0
FAR = "198.51.100.0/24"
"""server2's network."""


class TwoUplinks:
    """Makes the labs of this file, and checks the second cable when the test is over."""

    def __init__(self, make_lab: MakeLab) -> None:
        self._make_lab = make_lab
        self.sentinel: Sentinel

    def __call__(self, *router: str, external: object = ("wan0", NAME), forward: object = ()) -> Lab:
        """A lab with both uplinks; `router`: further commands of ip on it."""

        def prepare(lab: Lab) -> None:
            self.sentinel = add_uplink(lab)
            lab.topology.router.ip(*router)
            lab.enter(Servers((lab.topology.client1,), lab.payload))

        config = {"nat": {"external": external}, **({"forward": forward} if forward else {})}
        rules = [
            f"-t nat -A PREROUTING -i {uplink} -p tcp --dport 8080 -j DNAT --to {CLIENT1}:80"
            for uplink in ("wan0", NAME)
        ]
        return self._make_lab(
            prepare=prepare, config=config, kernel_rules=(*second_uplink.KERNEL, *(rules if forward else ()))
        )

    def leaks(self) -> list[str]:
        """What the second cable has seen."""
        return self.sentinel.take()


@pytest.fixture
def two_uplinks(make_lab: MakeLab) -> TwoUplinks:
    """Make a lab with two uplinks."""
    return TwoUplinks(make_lab)


def test_failover_and_back_within_a_second(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks()
    client = lab.topology.client1
    assert_served(lab)
    pull(lab)
    assert until_seen_as(client, ADDRESS) <= FAILOVER_S
    assert address_seen(client, SERVER2, "tcp") == str(ADDRESS)
    plug_in(lab)
    assert until_seen_as(client, EXTERNAL) <= FAILOVER_S
    assert_served(lab)
    assert two_uplinks.leaks() == []


@nfmasq_only("the kernel lets it out")
def test_an_uplink_that_is_not_named_is_served_and_told(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks(external="wan0")
    pull(lab)
    assert until_seen_as(lab.topology.client1, ADDRESS) <= FAILOVER_S
    assert two_uplinks.leaks() == []
    assert lab.daemon is not None
    assert any(
        line.startswith(f"{NAME} has a default route") for line in lab.daemon.api("/v1/status")["warnings"]
    )


@nfmasq_only("the kernel lets it out")
def test_an_interface_that_is_no_uplink_lets_nothing_out(two_uplinks: TwoUplinks) -> None:
    """Its default route is of a table of policy routing, as a VPN's is, and nobody named it."""
    lab = two_uplinks(
        f"route del default dev {NAME}",
        f"route add default via {GATEWAY} dev {NAME} table 200",
        f"rule add from {INTERNAL} lookup 200 pref 2000",
        external="wan0",
    )
    for client in (lab.topology.client1, lab.topology.client2):
        for kind in ("udp", "tcp"):
            assert address_seen(client, SERVER2, kind, patience=0.3) == "nobody"
    assert two_uplinks.leaks() == []


def test_policy_routing_by_source_gives_each_host_its_uplink(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks(
        f"route add default via {GATEWAY} dev {NAME} table 200",
        f"route add {INTERNAL} dev lan0 table 200",
        f"rule add from {CLIENT2} lookup 200 pref 2000",
    )
    net = lab.topology
    assert_served(lab, EXTERNAL, net.client1)
    assert_served(lab, ADDRESS, net.client2)
    assert two_uplinks.leaks() == []


def test_policy_routing_by_mark_gives_hosts_and_containers_their_uplink(two_uplinks: TwoUplinks) -> None:
    """The containers' own MASQUERADE stands beside it."""
    lab = two_uplinks(
        "rule add fwmark 0x10/0x10 lookup 100", f"route add default via {GATEWAY} dev {NAME} table 100"
    )
    router, guest = lab.topology.router, containers.engine(lab).guest
    mark = "-t mangle -A PREROUTING -j MARK --set-xmark 0x10/0x10"
    iptables(router, f"{mark} -i lan0 -s {CLIENT2}")
    until_seen_as(lab.topology.client2, ADDRESS)
    for kind in KINDS:
        assert address_seen(lab.topology.client1, SERVER2, kind) == str(EXTERNAL)
        assert address_seen(guest, SERVER2, kind) == str(EXTERNAL)
    iptables(router, f"{mark} -i docker0")
    for kind in KINDS:
        assert address_seen(guest, SERVER2, kind) == str(ADDRESS)
        assert address_seen(lab.topology.client2, SERVER2, kind) == str(ADDRESS)
    assert two_uplinks.leaks() == []


def test_both_are_used_by_one_endpoint_at_once(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks(f"route add {FAR} via {GATEWAY} dev {NAME}")
    client = lab.topology.client1
    for _ in range(3):
        by_first = ask(client, (SERVER1, 53), b"", source_port=4500).split()[0]
        by_second = ask(client, (SERVER2, 53), b"", source_port=4500).split()[0]
        assert (by_first.decode(), by_second.decode()) == (str(EXTERNAL), str(ADDRESS))
    assert two_uplinks.leaks() == []


def test_multipath_gives_each_flow_the_address_of_its_way(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks(
        f"route add {FAR} nexthop via {ISP} dev wan0 weight 1 nexthop via {GATEWAY} dev {NAME} weight 1",
    )
    lab.topology.router.sysctl("ipv4/fib_multipath_hash_policy", 1)
    seen = {address_seen(lab.topology.client1, SERVER2, "tcp") for _ in range(24)}
    assert seen == {str(EXTERNAL), str(ADDRESS)}
    assert two_uplinks.leaks() == []


def test_an_unanswered_or_udp_session_begins_anew_by_the_other_uplink(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks()
    client = lab.topology.client1

    def seen() -> IPv4Address | None:
        found = seen_as(client, SERVER2, source_port=4500, patience=0.2)
        return found[0] if found else None

    assert seen() == EXTERNAL
    pull(lab)
    wait_until(lambda: seen() == ADDRESS, "the same endpoint to be seen by the other address", FAILOVER_S)
    plug_in(lab)
    wait_until(lambda: seen() == EXTERNAL, "and back", FAILOVER_S)
    assert two_uplinks.leaks() == []


@nfmasq_only("the kernel ends it")
def test_an_answered_tcp_session_waits_for_its_uplink(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks()
    net = lab.topology
    with Call(net.client1, SERVER2) as call:
        before = call.seen_as()
        net.router.ip(f"route add {FAR} via {GATEWAY} dev {NAME}")
        until_seen_as(net.client2, ADDRESS)
        assert call.seen_as(1) is None
        net.router.ip(f"route del {FAR}")
        assert call.late_answer(5) == before
    assert two_uplinks.leaks() == []


def test_a_forward_is_reached_by_either_uplink(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks(
        f"route add {FAR} via {GATEWAY} dev {NAME}",
        forward=[{"protocol": "tcp", "external_port": 8080, "to": f"{CLIENT1}:80"}],
    )
    net = lab.topology
    assert seen_as(net.server1, EXTERNAL, "tcp", port=8080) is not None
    assert seen_as(net.server2, ADDRESS, "tcp", port=8080) is not None
    assert two_uplinks.leaks() == []


def test_an_uplink_that_is_away_at_the_start_comes_later(two_uplinks: TwoUplinks) -> None:
    lab = two_uplinks("link set wwan0 down", "address flush dev wwan0")
    net = lab.topology
    assert_served(lab)
    net.router.ip(
        f"link set {NAME} up",
        f"address add {ADDRESS}/24 dev {NAME}",
        f"route add {FAR} via {GATEWAY} dev {NAME}",
    )
    until_seen_as(net.client1, ADDRESS)
    assert address_seen(net.client1, SERVER1) == str(EXTERNAL)
    assert two_uplinks.leaks() == []


@nfmasq_only("the kernel has no pools of nfmasq's")
def test_each_uplink_has_a_pool_of_its_own(two_uplinks: TwoUplinks) -> None:
    pool = IPv4Address("203.0.113.9")

    def prepare(lab: Lab) -> None:
        two_uplinks.sentinel = add_uplink(lab)
        lab.topology.router.ip(f"address add {pool}/24 dev wan0", f"route add {FAR} via {GATEWAY} dev {NAME}")

    lab = two_uplinks._make_lab(
        prepare=prepare,
        config={
            "nat": {
                "external": ["wan0", NAME],
                "addresses": {"wan0": [str(pool)], NAME: [str(ADDRESS)]},
            }
        },
        also_external=(pool,),
    )
    assert address_seen(lab.topology.client1, SERVER1) == str(pool)
    assert address_seen(lab.topology.client1, SERVER2) == str(ADDRESS)

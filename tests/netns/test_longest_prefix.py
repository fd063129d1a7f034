"""Inside and outside by the longest prefix, as the kernel routes."""

from ipaddress import IPv4Address, IPv4Interface

import pytest
from support.situations import (
    assert_served,
    have_addresses,
    nfmasq_only,
    problems,
    renumber_uplink,
)

from netns.conftest import MakeLab
from nfmasq.lab.clients import ask, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.neighbours import public_network
from nfmasq.lab.packets import ICMP, TOO_BIG, UNREACHABLE, error, read, udp
from nfmasq.lab.probes import address_seen, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, ISP, ISP_FAR, SERVER1, SERVER2
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

WANS = (
    ("10.0.0.0/8", IPv4Interface("10.64.0.2/24"), IPv4Address("10.64.0.1")),
    ("172.16.0.0/12", IPv4Interface("172.16.200.2/30"), IPv4Address("172.16.200.1")),
    ("192.168.0.0/16", IPv4Interface("192.168.100.2/32"), IPv4Address("192.168.100.1")),
)
MESH_HOST = IPv4Address("10.9.1.1")
OUTER_HOST = IPv4Address("10.9.5.5")
LONGEST_FITTING = 1300


@pytest.mark.parametrize(("summary", "own", "gateway"), WANS, ids=["net", "point-to-point", "host"])
def test_a_wan_within_a_summary_that_leads_inside_is_outside(
    make_lab: MakeLab, summary: str, own: IPv4Interface, gateway: IPv4Address
) -> None:
    def prepare(lab: Lab) -> None:
        net = lab.topology
        renumber_uplink(net, own, gateway)
        net.router.ip(f"route add {summary} via {CLIENT2} dev lan0")
        lab.enter(Servers((net.isp,), lab.payload))

    lab = make_lab(prepare=prepare, also_external=(own.ip,))
    client = lab.topology.client1
    assert_served(lab, own.ip)
    assert address_seen(client, gateway) == str(own.ip), "the provider's DNS"
    assert ping(client, gateway, count=1).received == 1
    assert ping(lab.topology.router, SERVER2, count=1).received == 1, "the router's own ping"


def test_a_host_route_outwards_within_a_network_inside_leads_outside(make_lab: MakeLab) -> None:
    def prepare(lab: Lab) -> None:
        net = lab.topology
        net.router.ip(f"route add 10.9.0.0/16 via {CLIENT2} dev lan0", f"route add {OUTER_HOST} via {ISP}")
        net.isp.ip(f"address add {OUTER_HOST}/32 dev lo")
        have_addresses(net.client2, [MESH_HOST], 32)
        lab.enter(Servers((net.isp,), lab.payload))

    lab = make_lab(prepare=prepare)
    assert address_seen(lab.topology.client1, OUTER_HOST, "tcp") == str(EXTERNAL)
    assert address_seen(lab.topology.client2, SERVER2, source=MESH_HOST) == str(EXTERNAL)


def test_a_default_route_in_two_halves_makes_nothing_inside(make_lab: MakeLab) -> None:
    def prepare(lab: Lab) -> None:
        lab.topology.router.ip(
            "route del default",
            f"route add 0.0.0.0/1 via {ISP}",
            f"route add 128.0.0.0/1 via {ISP}",
            f"route add 10.0.0.0/8 via {CLIENT2} dev lan0",
        )

    assert_served(make_lab(prepare=prepare))


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit", "throw"])
def test_a_route_that_leads_nowhere_decides_nothing(make_lab: MakeLab, kind: str) -> None:
    """As a routing daemon has it for its summary; the networks below it are behind the LAN."""

    def prepare(lab: Lab) -> None:
        lab.topology.router.ip(
            f"route add {kind} 10.0.0.0/8", f"route add 10.9.0.0/16 via {CLIENT2} dev lan0"
        )
        have_addresses(lab.topology.client2, [MESH_HOST], 32)

    lab = make_lab(prepare=prepare)
    assert_served(lab)
    assert address_seen(lab.topology.client2, SERVER2, source=MESH_HOST) == str(EXTERNAL)


@pytest.mark.parametrize("said", [True, False], ids=["by the key", "by default"])
def test_a_public_network_inside_is_not_translated(make_lab: MakeLab, said: bool) -> None:
    lab = make_lab(
        prepare=public_network.prepare,
        config=public_network.CONFIG if said else None,
        kernel_rules=public_network.KERNEL,
        also_external=(public_network.HOST,),
    )
    net = lab.topology
    assert_served(lab, EXTERNAL, net.client1)
    assert_served(lab, public_network.HOST, net.client2)
    assert seen_as(net.server1, public_network.HOST, "tcp") is not None
    assert seen_as(net.server2, public_network.HOST, "udp") is not None
    if lab.daemon is not None:
        assert ("translate" in problems(lab)) == (not said), "the status names the key"


def test_a_public_network_inside_is_translated_if_the_key_says_so(make_lab: MakeLab) -> None:
    config = {"network": [{"cidr": str(public_network.NETWORK), "translate": True}]}
    lab = make_lab(prepare=public_network.prepare, config=config)
    assert_served(lab)


def test_a_private_network_that_the_provider_knows_is_not_translated(make_lab: MakeLab) -> None:
    """A company's site: its private addresses are routed further up."""
    site = "10.9.1.0/24"

    def prepare(lab: Lab) -> None:
        net = lab.topology
        net.router.ip(f"route add {site} via {CLIENT2} dev lan0")
        net.isp.ip(f"route add {site} via {EXTERNAL}")
        net.server2.ip(f"route add {site} via {ISP_FAR}")
        have_addresses(net.client2, [MESH_HOST], 32)

    lab = make_lab(
        prepare=prepare,
        config={"network": [{"cidr": site, "translate": False}]},
        kernel_rules=public_network.KERNEL,
        also_external=(MESH_HOST,),
    )
    client = lab.topology.client2
    assert address_seen(client, SERVER2, source=MESH_HOST) == str(MESH_HOST)
    assert address_seen(client, SERVER2, source=CLIENT2) == str(EXTERNAL)


@pytest.mark.parametrize("hop", ["192.168.1.77", "10.9.1.1", "100.64.0.1"], ids=["LAN", "inside", "carrier"])
def test_an_icmp_error_of_a_session_is_believed_whoever_sent_it(make_lab: MakeLab, hop: str) -> None:
    """A hop on the way may bear an address of a network inside (RFC 4787 REQ-12a); path MTU needs it."""

    def prepare(lab: Lab) -> None:
        lab.topology.router.ip(f"route add 10.9.0.0/16 via {CLIENT2} dev lan0")

    net = make_lab(prepare=prepare).topology
    mapped = ask(net.client1, (SERVER1, 53), b"who", source_port=5500).split()
    outside = (IPv4Address(mapped[0].decode()), int(mapped[1]))
    too_big = error(
        IPv4Address(hop),
        EXTERNAL,
        udp(outside, (SERVER1, 53), b"x" * 64),
        UNREACHABLE,
        TOO_BIG,
        rest=LONGEST_FITTING,
    )
    with Wire(net.client1, "eth0") as wire, Wire(net.server1, "eth0", (net.router, "wan0")) as sender:
        sender.send_ip(too_big)
        got = wire.expect(lambda packet: packet[9] == ICMP)
    assert read(got).destination[0] == CLIENT1
    quoted = got[28:]
    assert (IPv4Address(quoted[12:16]), int.from_bytes(quoted[20:22])) == (CLIENT1, 5500)


@nfmasq_only("the kernel lets it pass")
def test_what_comes_from_outside_with_an_inside_source_is_still_dropped(make_lab: MakeLab) -> None:
    lab = make_lab()
    net = lab.topology
    with Wire(net.client1, "eth0") as wire, Wire(net.server1, "eth0", (net.router, "wan0")) as sender:
        sender.send_ip(udp((IPv4Address("192.168.1.77"), 53), (EXTERNAL, 5501)))
        sender.send_ip(udp((SERVER1, 53), (CLIENT1, 5501)))
        assert ping(net.client1, SERVER1, count=1).received == 1
        assert not [packet for packet in wire.seen() if packet[9] != ICMP and packet[16:20] == CLIENT1.packed]


def test_a_network_that_moves_outside_is_followed(make_lab: MakeLab) -> None:
    """A mesh announces a network inside, then a more specific route takes a part of it outside."""

    def prepare(lab: Lab) -> None:
        net = lab.topology
        net.router.ip(f"route add 10.0.0.0/8 via {CLIENT2} dev lan0")
        net.isp.ip(f"address add {OUTER_HOST}/32 dev lo")
        lab.enter(Servers((net.isp,), lab.payload))

    lab = make_lab(prepare=prepare)
    net = lab.topology
    net.router.ip(f"route add 10.9.5.0/24 via {ISP}")
    wait_until(lambda: address_seen(net.client1, OUTER_HOST, "tcp", patience=0.4) == str(EXTERNAL), "it", 2)
    assert_served(lab)

"""The external address that goes with a packet's route, as the kernel chooses sources."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from support.situations import Call, have_addresses, nfmasq_only, until_seen_as

from netns.conftest import MakeLab
from nfmasq.lab.clients import ask
from nfmasq.lab.lab import KERNEL_RULES, Lab
from nfmasq.lab.probes import address_seen, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT1, EXTERNAL, ISP, ISP_FAR, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

MODEM, OURS_THERE = IPv4Address("192.168.100.1"), IPv4Address("192.168.100.2")
SECOND = IPv4Address("203.0.113.3")
VIRTUAL = IPv4Address("203.0.113.100")
OTHER_GATEWAY, OURS_BY_IT = IPv4Address("198.18.0.1"), IPv4Address("198.18.0.2")
HOSTS = tuple(IPv4Address("192.168.1.100") + number for number in range(12))
"""Enough of them that a pool of two addresses would show both."""


def seen(net: Topology, server: IPv4Address = SERVER2, hosts: Sequence[IPv4Address] = HOSTS) -> set[str]:
    """As which addresses the hosts appear."""
    return {address_seen(net.client1, server, source=host) for host in hosts}


def many_hosts(lab: Lab) -> None:
    """More hosts on the LAN."""
    have_addresses(lab.topology.client1, HOSTS)


def test_the_address_of_the_modems_network_is_seen_by_the_modem_alone(make_lab: MakeLab) -> None:
    def prepare(lab: Lab) -> None:
        many_hosts(lab)
        lab.topology.router.ip(f"address add {OURS_THERE}/24 dev wan0")
        lab.topology.isp.ip(f"address add {MODEM}/24 dev near")
        lab.enter(Servers((lab.topology.isp,), lab.payload))

    net = make_lab(prepare=prepare, also_external=(OURS_THERE,)).topology
    assert seen(net) == {str(EXTERNAL)}
    assert seen(net, MODEM) == {str(OURS_THERE)}


def test_an_address_of_the_modems_network_that_stands_first_changes_nothing(make_lab: MakeLab) -> None:
    """The kernel's choice goes by the next hop, not by the order of addresses."""

    def prepare(lab: Lab) -> None:
        many_hosts(lab)
        lab.topology.router.ip(
            "address flush dev wan0",
            f"address add {OURS_THERE}/24 dev wan0",
            f"address add {EXTERNAL}/24 dev wan0",
            f"route add default via {ISP}",
        )

    assert seen(make_lab(prepare=prepare, also_external=(OURS_THERE,)).topology) == {str(EXTERNAL)}


def test_a_preferred_source_of_a_route_is_followed(make_lab: MakeLab) -> None:
    """A MASQUERADE rule does not follow it for forwarded packets; nfmasq takes it as the admin's word."""

    def prepare(lab: Lab) -> None:
        many_hosts(lab)
        lab.topology.router.ip(
            f"address add {SECOND}/24 dev wan0", f"route add 198.51.100.0/24 via {ISP} src {SECOND}"
        )

    net = make_lab(
        prepare=prepare,
        also_external=(SECOND,),
        kernel_rules=(
            f"-t nat -A POSTROUTING -o wan0 -d 198.51.100.0/24 -j SNAT --to {SECOND}",
            *KERNEL_RULES,
        ),
    ).topology
    assert seen(net, SERVER1) == {str(EXTERNAL)}
    assert seen(net, SERVER2) == {str(SECOND)}


def test_each_next_hop_sees_the_address_of_its_own_network(make_lab: MakeLab) -> None:
    """Two providers on one wire: part of the Internet is reached by the other gateway."""

    def prepare(lab: Lab) -> None:
        many_hosts(lab)
        net = lab.topology
        net.router.ip(
            f"address add {OURS_BY_IT}/24 dev wan0", f"route add 198.51.100.0/24 via {OTHER_GATEWAY} dev wan0"
        )
        net.isp.ip(f"address add {OTHER_GATEWAY}/24 dev near")
        net.server2.ip(f"route add 198.18.0.0/24 via {ISP_FAR}")

    net = make_lab(prepare=prepare, also_external=(OURS_BY_IT,)).topology
    assert seen(net, SERVER1) == {str(EXTERNAL)}
    assert seen(net, SERVER2) == {str(OURS_BY_IT)}
    endpoints = {seen_as(net.client1, server, source_port=4500) for server in (SERVER1, SERVER2)}
    assert {str(each and each[0]) for each in endpoints} == {str(EXTERNAL), str(OURS_BY_IT)}


def test_a_virtual_address_comes_and_goes_and_nobody_notices(make_lab: MakeLab) -> None:
    lab = make_lab(prepare=many_hosts, also_external=(VIRTUAL,))
    net = lab.topology
    mapped = ask(net.client1, (SERVER1, 53), b"", source_port=5500)
    with Call(net.client1, SERVER2) as call:
        before = call.seen_as()
        for change in ("add", "del") * 2:
            net.router.ip(f"address {change} {VIRTUAL}/32 dev wan0")
            assert call.seen_as() == before
            assert seen(net) == {str(EXTERNAL)}
            assert ask(net.client1, (SERVER1, 53), b"", source_port=5500) == mapped


def test_a_forward_names_a_secondary_address(make_lab: MakeLab) -> None:
    def prepare(lab: Lab) -> None:
        many_hosts(lab)
        lab.topology.router.ip(f"address add {SECOND}/24 dev wan0")
        lab.enter(Servers((lab.topology.client1,), lab.payload))

    lab = make_lab(
        prepare=prepare,
        config={
            "forward": [
                {
                    "protocol": "tcp",
                    "external_address": str(SECOND),
                    "external_port": 8080,
                    "to": f"{CLIENT1}:80",
                }
            ]
        },
        kernel_rules=(
            f"-t nat -A PREROUTING -d {SECOND} -p tcp --dport 8080 -j DNAT --to {CLIENT1}:80",
            *KERNEL_RULES,
        ),
        also_external=(SECOND,),
    )
    net = lab.topology
    assert seen_as(net.server1, SECOND, "tcp", port=8080) is not None
    assert seen_as(net.server1, EXTERNAL, "tcp", port=8080) is None
    assert seen(net) == {str(EXTERNAL)}


@nfmasq_only("the kernel forgets the mappings of an address that goes")
def test_a_lease_that_is_renewed_ends_no_session(make_lab: MakeLab) -> None:
    """The DHCP client takes the address away and gives it back, while another one stays."""

    def prepare(lab: Lab) -> None:
        lab.topology.router.ip(f"address add {OURS_THERE}/24 dev wan0")

    lab = make_lab(prepare=prepare, also_external=(OURS_THERE,))
    net = lab.topology
    mapped = ask(net.client1, (SERVER1, 53), b"", source_port=5500)
    with Call(net.client1, SERVER2) as call:
        before = call.seen_as()
        net.router.ip(f"address del {EXTERNAL}/24 dev wan0")
        net.router.ip(f"address add {EXTERNAL}/24 dev wan0", f"route replace default via {ISP} dev wan0")
        wait_until(lambda: call.seen_as(0.5) == before, "the connection to go on", 5)
        assert ask(net.client1, (SERVER1, 53), b"", source_port=5500) == mapped
    lab.sentinel.take()


def test_a_route_with_another_source_leaves_running_sessions_alone(make_lab: MakeLab) -> None:
    def prepare(lab: Lab) -> None:
        lab.topology.router.ip(f"address add {SECOND}/24 dev wan0")

    lab = make_lab(prepare=prepare, also_external=(SECOND,))
    net = lab.topology
    with Call(net.client1, SERVER2) as call:
        before = call.seen_as()
        net.router.ip(f"route add 198.51.100.0/24 via {ISP} src {SECOND}")
        if lab.daemon is not None:
            until_seen_as(net.client2, SECOND)
        assert call.seen_as() == before

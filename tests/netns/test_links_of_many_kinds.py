"""Uplinks and inner networks on links of other kinds than a plain card, on the kernels that have them."""

from ipaddress import IPv4Address

import pytest
from support.situations import Call, assert_served, problems, until_seen_as

from netns.conftest import MakeLab
from nfmasq.lab.clients import ask
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace, join
from nfmasq.lab.probes import address_seen
from nfmasq.lab.topology import EXTERNAL, ISP, ROUTER_INTERNAL, SERVER1, SERVER2
from nfmasq.lab.waiting import wait_until

ON_VLAN = IPv4Address("192.168.1.200")


def need(router: Namespace, kind: str) -> None:
    """Skip the test where the kernel has no such links."""
    try:
        router.ip(f"link add probe0 type {kind}", "link del probe0")
    except RuntimeError as error:
        pytest.skip(f"this kernel has no {kind}: {error}")


def rules_of(external: str) -> tuple[str, ...]:
    """What the kernel's masquerade needs for that uplink."""
    return (f"-t nat -A POSTROUTING -o {external} -j MASQUERADE",)


def under_a_bond(lab: Lab) -> None:
    """Two cables to the provider under one interface: the second is used where the first has no carrier."""
    router, wan = lab.topology.router, lab.topology.wan
    need(router, "bond")
    join(wan, "second", router, "wan1")
    router.ip(
        "address flush dev wan0", "link set wan0 down", "link set wan1 down",
        "link add bond0 type bond mode active-backup miimon 50",
        "link set wan0 master bond0", "link set wan1 master bond0", "link set bond0 up",
        f"address add {EXTERNAL}/24 dev bond0", f"route add default via {ISP}",
    )  # fmt: skip
    switch = wan.run("ip", "-brief", "link", "show", "type", "bridge").split()[0]
    wan.ip(f"link set second master {switch}")


def test_a_bond_that_fails_over_keeps_its_sessions(make_lab: MakeLab) -> None:
    lab = make_lab(
        prepare=under_a_bond, config={"nat": {"external": "bond0"}}, kernel_rules=rules_of("bond0")
    )
    net = lab.topology
    until_seen_as(net.client1, EXTERNAL)
    with Call(net.client1, SERVER2) as call:
        before = call.seen_as()
        net.wan.ip("link set router down")
        wait_until(lambda: call.seen_as(0.5) == before, "the connection to go on", 20)
    assert_served(lab)
    net.wan.ip("link set router up")  # the sentinel listens there
    if lab.daemon is not None:
        assert "bond0" not in problems(lab)


def lan_on_a_vlan(lab: Lab) -> None:
    """The LAN is VLAN 20 of a bridge; its hosts' cable brings untagged frames."""
    router = lab.topology.router
    need(router, "bridge vlan_filtering 1")
    router.ip(
        "address flush dev lan0", "link add br0 type bridge vlan_filtering 1 forward_delay 0",
        "link set lan0 master br0", "link set br0 up",
    )  # fmt: skip
    try:
        router.ip("link add link br0 name br0.20 type vlan id 20")
    except RuntimeError as error:
        pytest.skip(f"this kernel has no VLANs: {error}")
    for command in ("del dev lan0 vid 1", "add dev lan0 vid 20 pvid untagged", "add dev br0 vid 20 self"):
        router.run("bridge", "vlan", *command.split())
    router.ip("link set br0.20 up", f"address add {ROUTER_INTERNAL}/24 dev br0.20")


def test_an_inner_network_on_a_vlan_of_a_bridge_is_served(make_lab: MakeLab) -> None:
    lab = make_lab(prepare=lan_on_a_vlan, config={"nat": {"internal": ["br0.20"]}})
    until_seen_as(lab.topology.client1, EXTERNAL)
    assert_served(lab)
    net = lab.topology
    net.router.ip("link set br0.20 down", "link set br0.20 up")
    until_seen_as(net.client1, EXTERNAL)


@pytest.mark.parametrize("length", [25, 29, 32])
def test_a_lease_of_another_prefix_length_ends_no_session(make_lab: MakeLab, length: int) -> None:
    """The DHCP client adds the new address before it takes the old one away, or after."""
    lab = make_lab()
    net = lab.topology
    mapped = ask(net.client1, (SERVER1, 53), b"", source_port=5500)
    with Call(net.client1, SERVER2) as call:
        before = call.seen_as()
        net.router.ip(
            f"address add {EXTERNAL}/{length} dev wan0", f"address del {EXTERNAL}/24 dev wan0",
            f"route replace {ISP} dev wan0", f"route replace default via {ISP} dev wan0",
        )  # fmt: skip
        wait_until(lambda: call.seen_as(0.5) == before, "the connection to go on", 20)
        if lab.daemon is not None:
            assert ask(net.client1, (SERVER1, 53), b"", source_port=5500) == mapped
    lab.sentinel.take()
    until_seen_as(net.client1, EXTERNAL)


def test_a_container_by_macvlan_on_the_lan_is_a_host_as_any_other(make_lab: MakeLab) -> None:
    lab = make_lab()
    net = lab.topology
    with Namespace("container") as container:
        number = container.fd
        try:
            net.client1.run(
                "ip", "link", "add", "link", "eth0", "name", "mac0", "netns", f"/proc/self/fd/{number}",
                "type", "macvlan", "mode", "bridge", pass_fds=[number],
            )  # fmt: skip
        except RuntimeError as error:
            pytest.skip(f"this kernel has no macvlan: {error}")
        container.ip(
            f"address add {ON_VLAN}/24 dev mac0",
            "link set mac0 up",
            f"route add default via {ROUTER_INTERNAL}",
        )
        wait_until(
            lambda: address_seen(container, SERVER2) == str(EXTERNAL), "the container to be served", 20
        )
        assert address_seen(net.client1, SERVER2) == str(EXTERNAL)

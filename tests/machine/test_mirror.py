"""The mirror says what the kernel has, after each kind of change."""

import select
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from support.roads import asked, contents, four_sides, try_ip

from nfmasq.lab.namespace import Namespace
from nfmasq.machine.mirror import Mirror

pytestmark = pytest.mark.root

TYPES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
}
TABLES = {254: "main", 255: "local", 253: "default"}


@pytest.fixture
def router(as_root: None) -> Iterator[Namespace]:
    with four_sides() as made:
        yield made


@pytest.fixture
def mirror(router: Namespace) -> Iterator[Mirror]:
    with router.call(Mirror) as made:
        yield made


def _routes_of_ip(router: Namespace) -> set[tuple[Any, ...]]:
    """Every route as `ip` tells it: type, network, table, metric, source, and its hops."""
    found = set()
    for route in asked(router, "-details", "-4", "route", "show", "table", "all"):
        hops = [route, *route.get("nexthops", [])] if "nhid" not in route else []
        found.add(
            (
                route["type"],
                IPv4Network("0.0.0.0/0" if route["dst"] == "default" else route["dst"]),
                route.get("table", "main"),
                route.get("metric", 0),
                route.get("prefsrc", ""),
                route.get("nhid", 0),
                tuple((hop["dev"], hop.get("gateway", "")) for hop in hops if "dev" in hop),
            )
        )
    return found


def _routes_of(mirror: Mirror) -> set[tuple[Any, ...]]:
    return {
        (
            TYPES[way.kind],
            IPv4Network((key >> 6, key & 63)),
            TABLES.get(way.table, str(way.table)),
            way.priority,
            str(IPv4Address(way.prefsrc)) if way.prefsrc else "",
            way.nexthop,
            tuple(
                (mirror.links[hop.interface].name, str(IPv4Address(hop.gateway)) if hop.gateway else "")
                for hop in way.hops
            ),
        )
        for key, ways in mirror.routes.ways.items()
        for way in ways
    }


def _addresses_of_ip(router: Namespace) -> list[tuple[Any, ...]]:
    return [
        (link["ifname"], one["local"], one.get("address", one["local"]), one["prefixlen"], "secondary" in one)
        for link in asked(router, "-4", "address", "show")
        for one in link.get("addr_info", [])
    ]


def _addresses_of(mirror: Mirror) -> list[tuple[Any, ...]]:
    return [
        (mirror.links[index].name, str(IPv4Address(one.local)), str(IPv4Address(one.peer)), one.length,
         one.secondary)
        for index in sorted(mirror.addresses)
        for one in mirror.addresses[index]
    ]  # fmt: skip


def _links_of_ip(router: Namespace) -> set[tuple[Any, ...]]:
    return {
        (link["ifindex"], link["ifname"], link["mtu"], "UP" in link["flags"])
        for link in asked(router, "link", "show")
    }


def _assert_like_the_kernel(mirror: Mirror, router: Namespace) -> None:
    assert {(each.interface, each.name, each.mtu, each.up) for each in mirror.links.values()} == _links_of_ip(
        router
    )
    assert _addresses_of(mirror) == _addresses_of_ip(router)
    assert _routes_of(mirror) == _routes_of_ip(router)
    with router.call(Mirror) as fresh:
        if contents(mirror) != contents(fresh):  # a carrier is told of a second later
            time.sleep(1.2)
            mirror.follow()
            fresh.follow()
        assert contents(mirror) == contents(fresh)


def test_a_dump_has_what_ip_shows(router: Namespace) -> None:
    router.ip(
        "route add 10.1.0.0/16 via 192.168.1.2",
        "route add 10.2.0.0/16 via 192.168.1.2 table 100 metric 7",
        "route add 10.3.0.0/16 nexthop via 192.168.1.2 weight 3 nexthop via 203.0.113.9",
        "route add 10.4.0.0/16 via 10.99.99.99 dev wan0 onlink src 203.0.113.2",
        "route add 10.5.0.0/16 via 192.168.1.2 table 70000 tos 0x20",
        *(f"route add {kind} 10.{6 + n}.0.0/16" for n, kind in enumerate(list(TYPES.values())[3:])),
        "address add 10.66.0.1 peer 10.66.0.2/32 dev lan1",
        "address add 203.0.113.3/24 dev wan0",
        "address add 169.254.9.9/16 dev wan0 scope link",
        "route append 10.1.0.0/16 via 192.168.2.2",
        "route prepend 10.1.0.0/16 via 203.0.113.9",
    )
    with router.call(Mirror) as mirror:
        _assert_like_the_kernel(mirror, router)


CHANGES = {
    "a route is added": ["route add 10.1.0.0/16 via 192.168.1.2"],
    "a route is added and taken away": ["route add 10.1.0.0/16 via 192.168.1.2", "route del 10.1.0.0/16"],
    "a route is replaced": ["route add 10.1.0.0/16 dev lan0", "route replace 10.1.0.0/16 dev wan0"],
    "the first of several is replaced": [
        "route add 10.1.0.0/16 dev lan0",
        "route append 10.1.0.0/16 dev lan1",
        "route replace 10.1.0.0/16 dev wan0",
    ],
    "the middle one of several goes": [
        "route add 10.1.0.0/16 dev lan0",
        "route append 10.1.0.0/16 dev lan1",
        "route prepend 10.1.0.0/16 dev wan0",
        "route del 10.1.0.0/16 dev lan0",
    ],
    "a unicast route becomes a blackhole": [
        "route add 10.1.0.0/16 dev lan0",
        "route replace blackhole 10.1.0.0/16",
    ],
    "metrics beside each other": [
        "route add 10.1.0.0/16 dev lan0 metric 5",
        "route add 10.1.0.0/16 dev lan1 metric 3",
        "route add 10.1.0.0/16 dev wan0 metric 3 tos 0x10",
    ],
    "multipath": ["route add 10.1.0.0/16 nexthop via 192.168.1.2 nexthop dev wan0 weight 2"],
    "a hop of a multipath route goes down": [
        "route add 10.1.0.0/16 nexthop via 192.168.1.2 nexthop via 192.168.2.2",
        "link set lan1 down",
    ],
    "both hops of a multipath route go down": [
        "route add 10.1.0.0/16 nexthop via 192.168.1.2 nexthop via 192.168.2.2",
        "link set lan1 down",
        "link set lan0 down",
    ],
    "an interface goes down": ["route add 10.1.0.0/16 via 192.168.1.2", "link set lan0 down"],
    "an interface goes down and up": [
        "route add 10.1.0.0/16 via 192.168.1.2",
        "link set lan0 down",
        "link set lan0 up",
        "route add 10.2.0.0/16 via 192.168.1.2",
    ],
    "an interface is deleted": ["route add 10.1.0.0/16 via 192.168.1.2 table 9", "link del lan0"],
    "an interface is made anew": [
        "link del lan0",
        "link add lan0 type bridge",
        "address add 192.168.1.1/24 dev lan0",
        "link set lan0 up",
    ],
    "an interface is renamed": ["link set lan0 down", "link set lan0 name lan9", "link set lan9 up"],
    "an MTU changes": ["link set lan0 mtu 1400"],
    "an MTU too small for IPv4": [
        "link add dummy9 type bridge",
        "address add 10.7.0.1/24 dev lan1",
        "link set lan1 mtu 68",
    ],
    "a bridge gets a port and loses it": [
        "link add veth8 type veth peer name veth9",
        "link set veth8 master lan0",
        "link set veth8 up",
        "link set veth9 up",
        "link set veth8 nomaster",
    ],
    "a second address": ["address add 203.0.113.3/24 dev wan0", "address add 203.0.113.4/24 dev wan0"],
    "a primary address goes and its secondaries": [
        "address add 203.0.113.3/24 dev wan0",
        "address del 203.0.113.2/24 dev wan0",
    ],
    "an address of narrower scope": [
        "address add 169.254.9.9/16 dev wan0 scope link",
        "address add 198.18.0.1/24 dev wan0",
    ],
    "an address with a peer": ["address add 10.66.0.1 peer 10.66.0.2/32 dev wan0"],
    "an address that routes name goes": [
        "address add 203.0.113.3/24 dev wan0",
        "route add 10.1.0.0/16 via 203.0.113.1 src 203.0.113.3",
        "route add 10.2.0.0/16 via 203.0.113.1 src 203.0.113.3 table 100",
        "address del 203.0.113.3/24 dev wan0",
    ],
    "the addresses are flushed": ["address flush dev wan0"],
    "a nexthop object": ["nexthop add id 5 via 192.168.1.2 dev lan0", "route add 10.1.0.0/16 nhid 5"],
    "a group of nexthop objects": [
        "nexthop add id 5 via 192.168.1.2 dev lan0",
        "nexthop add id 6 via 192.168.2.2 dev lan1",
        "nexthop add id 7 group 5/6,3",
        "route add 10.1.0.0/16 nhid 7",
    ],
    "a nexthop object is replaced": [
        "nexthop add id 5 via 192.168.1.2 dev lan0",
        "route add 10.1.0.0/16 nhid 5",
        "nexthop replace id 5 via 203.0.113.1 dev wan0",
    ],
    "a nexthop object goes, and its routes": [
        "nexthop add id 5 via 192.168.1.2 dev lan0",
        "route add 10.1.0.0/16 nhid 5",
        "nexthop del id 5",
    ],
    "a member of a group goes with its interface": [
        "nexthop add id 5 via 192.168.1.2 dev lan0",
        "nexthop add id 6 via 192.168.2.2 dev lan1",
        "nexthop add id 7 group 5/6",
        "route add 10.1.0.0/16 nhid 7",
        "link set lan1 down",
    ],
    "a blackhole as nexthop object": ["nexthop add id 5 blackhole", "route add 10.1.0.0/16 nhid 5"],
    "a table is flushed": ["route add 10.1.0.0/16 dev lan0 table 9", "route flush table 9"],
    "rules come": ["rule add fwmark 1 lookup 100", "address add 10.8.0.1/24 dev lan0"],
    "a VRF": [
        "link add vrf9 type vrf table 90",
        "link set vrf9 up",
        "link set lan1 master vrf9",
        "route add 10.1.0.0/16 via 192.168.2.2 vrf vrf9",
    ],
    "a VRF goes": [
        "link add vrf9 type vrf table 90",
        "link set vrf9 up",
        "link set lan1 master vrf9",
        "link del vrf9",
    ],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("one_by_one", [False, True], ids=["as a batch", "one by one"])
def test_a_change_is_followed(router: Namespace, mirror: Mirror, change: str, one_by_one: bool) -> None:
    for command in CHANGES[change]:
        try_ip(router, [command])
        if one_by_one:
            mirror.follow()
    mirror.follow()
    _assert_like_the_kernel(mirror, router)


def test_an_interface_that_moves_to_another_namespace_is_gone(router: Namespace, mirror: Mirror) -> None:
    with Namespace("other") as other:
        router.ip("link add veth8 type veth peer name veth9", "address add 10.8.0.1/24 dev veth8",
                  "link set veth8 up", "link set veth9 up")  # fmt: skip
        assert mirror.follow().links
        assert "veth8" in {link.name for link in mirror.links.values()}
        router.run("ip", "link", "set", "veth8", "netns", f"/proc/self/fd/{other.fd}", pass_fds=[other.fd])
        mirror.follow()
        assert "veth8" not in {link.name for link in mirror.links.values()}
        _assert_like_the_kernel(mirror, router)


def test_a_quiet_mirror_tells_no_change_and_rings_no_bell(mirror: Mirror) -> None:
    assert not mirror.follow()
    assert not select.select([mirror], [], [], 0.1)[0]


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("route add 10.1.0.0/16 dev lan0", {"routes"}),
        ("link set lan0 mtu 1400", {"links"}),
        ("address add 203.0.113.3/24 dev wan0", {"addresses", "routes"}),
        ("nexthop add id 5 dev lan0", {"nexthops"}),
    ],
)
def test_what_changed_is_told(router: Namespace, mirror: Mirror, command: str, kinds: set[str]) -> None:
    router.ip(command)
    assert select.select([mirror], [], [], 5)[0]
    changes = mirror.follow()
    told = {kind for kind in ("anew", "links", "addresses", "nexthops", "routes") if getattr(changes, kind)}
    assert told == kinds


def test_lost_events_are_a_new_dump(router: Namespace) -> None:
    with router.call(Mirror, 4096) as mirror:
        router.ip(*(f"route add 10.1.{n}.0/24 dev lan0" for n in range(250)))
        assert mirror.follow().anew
        assert mirror.dumps == 2
        _assert_like_the_kernel(mirror, router)
        router.ip("route add 10.2.0.0/16 dev lan0")
        assert not mirror.follow().anew
        _assert_like_the_kernel(mirror, router)


def test_a_message_that_is_not_the_kernels_is_not_believed(router: Namespace, mirror: Mirror) -> None:
    """Root may send to anyone's netlink socket; so may a program in a user namespace of its own."""
    sender = router.call(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, 0)
    forged = struct.pack("=IHHII", 16, 24, 0, 0, 0)
    with sender:
        sender.bind((0, 0))
        sender.sendto(forged, (mirror._events.getsockname()[0], 0))
    assert not mirror.follow()
    assert mirror.messages_read == 0


def test_a_storm_of_changes_while_it_dumps_is_followed(router: Namespace) -> None:
    commands = "".join(
        f"route {verb} 10.{n % 50}.0.0/16 dev {device} metric {n % 3}\n"
        for n in range(3000)
        for verb, device in (("append", "lan0"), ("replace", "wan0"), ("del", "wan0"))
    )
    storm = router.popen("ip", "-force", "-batch", "-", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert storm.stdin is not None
    storm.stdin.write(commands)
    storm.stdin.close()
    for _ in range(20):
        with router.call(Mirror) as mirror:
            mirror.follow()
    with router.call(Mirror) as mirror:
        storm.wait()
        while select.select([mirror], [], [], 0)[0]:
            mirror.follow()
        _assert_like_the_kernel(mirror, router)


def test_twenty_thousand_routes_are_read_once(router: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [f"{11 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24" for n in range(20_000)]
    router.ip(*(f"route add {network} via 203.0.113.1" for network in networks))
    with router.call(Mirror) as mirror:
        commands = [
            f"route {verb} 99.1.{n}.0/24 via 203.0.113.1" for n in range(25) for verb in ("add", "del")
        ]
        router.ip(*commands)
        with monkeypatch.context() as patched:
            patched.setattr(subprocess, "Popen", None)
            changes = mirror.follow()
        assert (len(changes.routes), mirror.messages_read, mirror.dumps) == (50, 50, 1)
        assert len(mirror.routes) > 20_000


def test_a_closed_mirror_may_be_closed_again(mirror: Mirror) -> None:
    mirror.close()
    mirror.close()

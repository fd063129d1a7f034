"""The nft back end's rules for forwards and hairpinning, counting and dropping in place of `queue`."""

import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from scapy.layers import inet
from support.path import CLIENT, EXTERNAL, QUEUE, ROUTER_INSIDE, Path
from support.paths import outside

from diversion.traffic import ECHO_REQUEST, ICMP, OWN_PORT, POOL_PORT, eventually, icmp, raw, udp
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget
from nfmasq.diversion import DiversionPlan
from nfmasq.diversion.nftables_rules import rules_table
from nfmasq.lab.wire import Wire

pytestmark = pytest.mark.root

DIVERT = f"queue num {QUEUE}"
SECOND, THIRD = "203.0.113.3", "203.0.113.4"
UDP = socket.IPPROTO_UDP
TARGETS = (ForwardTarget(IPv4Address(CLIENT)),)
NEIGHBOUR, BEHIND = "192.168.1.3", "192.168.9.9"
"""Internal hosts; the router's way to the second is by the client."""
ROUTED, BEYOND = "198.51.100.7", "192.0.2.1"
"""An external address that is on no interface; a host further away."""
REDIRECT = 5

FORWARDS = (
    Forward(ANY_PROTOCOL, IPv4Address(THIRD), ALL_PORTS, TARGETS),
    Forward(UDP, IPv4Address(SECOND), (80, 89), TARGETS),
    Forward(UDP, None, (OWN_PORT, OWN_PORT), TARGETS),
    Forward(UDP, None, (OWN_PORT + 2, OWN_PORT + 2), TARGETS),
)
DEFAULT_HOST = Forward(ANY_PROTOCOL, None, ALL_PORTS, TARGETS)


def _lay(path: Path, plan: DiversionPlan) -> None:
    """Lay the rules, for a router with three addresses."""
    text = (
        rules_table(replace(plan, externals=outside(EXTERNAL, SECOND, THIRD)))
        .anew()
        .replace(DIVERT, "counter drop")
    )
    path.router.run("nft", "-f", "-", input=text)
    path.router.ip(*(f"address replace {address}/24 dev wan0" for address in (SECOND, THIRD)))


def _met(path: Path) -> dict[str, int]:
    """How many packets met each diverting rule, by what the rule asks; rules nobody met are left out."""
    listed = path.router.run("nft", "list", "table", "ip", "nfmasq").splitlines()
    rules = [line.strip().partition(" counter packets ") for line in listed if " counter packets " in line]
    return {rule: int(counted.split()[0]) for rule, _, counted in rules if not counted.startswith("0 ")}


def _meets(path: Path, rule: str) -> bool:
    """Does exactly this rule count what was sent?"""
    return eventually(lambda: _met(path) != {}) and list(_met(path)) == [rule]


@pytest.mark.parametrize(
    ("address", "port", "rule"),
    [
        (THIRD, 22, "ip daddr @claimed"),
        (SECOND, 89, "ip daddr . udp dport @claimed_udp_at"),
        (EXTERNAL, OWN_PORT, "udp dport @claimed_udp"),
        (SECOND, OWN_PORT + 2, "udp dport @claimed_udp"),
    ],
)
def test_what_is_forwarded_meets_its_rule_before_a_local_socket(
    path: Path, plan: DiversionPlan, address: str, port: int, rule: str
) -> None:
    _lay(path, replace(plan, forwards=FORWARDS))
    with path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as local:
        local.bind(("", port))
        udp(path.server, address, port)
        assert _meets(path, rule)


@pytest.mark.parametrize(("address", "port"), [(EXTERNAL, 80), (SECOND, 90), (EXTERNAL, OWN_PORT + 1)])
def test_what_is_not_forwarded_reaches_the_local_socket(
    path: Path, plan: DiversionPlan, address: str, port: int
) -> None:
    _lay(path, replace(plan, forwards=(*FORWARDS, DEFAULT_HOST)))
    with path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as local:
        local.bind(("", port))
        local.settimeout(5)
        udp(path.server, address, port)
        assert local.recv(100) == b"x"


def test_the_default_host_gets_what_no_local_socket_takes(path: Path, plan: DiversionPlan) -> None:
    _lay(path, replace(plan, forwards=(DEFAULT_HOST,)))
    udp(path.server, EXTERNAL, OWN_PORT)
    assert _meets(path, "meta l4proto udp")


def test_from_inside_an_external_address_is_diverted_only_when_hairpinning(
    path: Path, plan: DiversionPlan
) -> None:
    _lay(path, plan)
    raw(path.client, ICMP, icmp(ECHO_REQUEST))
    udp(path.client, EXTERNAL, POOL_PORT)
    udp(path.server, EXTERNAL, POOL_PORT)
    assert eventually(lambda: sum(_met(path).values()) == 1)
    _lay(path, replace(plan, hairpinning=True, forwards=FORWARDS))
    for port in (POOL_PORT, OWN_PORT):
        udp(path.client, EXTERNAL, port)
    raw(path.client, ICMP, icmp(ECHO_REQUEST))
    udp(path.client, ROUTER_INSIDE, POOL_PORT)
    assert eventually(lambda: sum(_met(path).values()) == 3)


@pytest.mark.parametrize(
    ("mark", "diverted"), [(0x80000000, True), (0xFFFFFFFF, True), (0x7FFFFFFF, False), (0, False)]
)
def test_what_goes_back_inside_is_diverted_by_its_mark(
    path: Path, plan: DiversionPlan, mark: int, diverted: bool
) -> None:
    path.router.ip(f"route add {BEHIND} via {CLIENT}")
    path.client.ip(f"address add {BEHIND}/32 dev lo")
    _lay(path, replace(plan, hairpinning=True))
    path.router.run(
        *("iptables", "-t", "mangle", "-A", "PREROUTING", "-d", BEHIND, "-j", "MARK", "--set-mark", str(mark))
    )
    with path.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as behind:
        behind.bind((BEHIND, OWN_PORT))
        behind.settimeout(5)
        _send_by_the_router(path)
        if diverted:
            assert eventually(lambda: len(_met(path)) == 1)
            assert "meta mark" in next(iter(_met(path)))
        else:
            assert behind.recv(100) == b"x"


def _send_by_the_router(path: Path) -> None:
    """A datagram of another internal host to the host behind."""
    packet = inet.IP(src=NEIGHBOUR, dst=BEHIND) / inet.UDP(sport=OWN_PORT, dport=OWN_PORT) / b"x"
    with Wire(path.client, "c0", gateway=(path.router, "lan0")) as wire:
        wire.send_ip(bytes(packet))


def _until(wire: Wire, last: Callable[[bytes], bool]) -> list[bytes]:
    """The packets that pass, up to the one that is `last`, included."""
    seen = [wire.expect(lambda _: True)]
    while not last(seen[-1]):
        seen.append(wire.expect(lambda _: True))
    return seen


def _redirects(path: Path) -> int:
    """How many redirects the client gets for a packet whose shorter way the router knows."""
    with Wire(path.client, "c0") as wire:
        _send_by_the_router(path)
        seen = _until(wire, lambda packet: packet[16:20] == socket.inet_aton(BEHIND) and packet[8] == 63)
    return sum(packet[9] == ICMP and packet[20] == REDIRECT for packet in seen)


@pytest.mark.parametrize("hairpinning", [False, True])
def test_the_router_tells_of_no_shorter_way_while_hairpinning(
    path: Path, plan: DiversionPlan, hairpinning: bool
) -> None:
    path.router.sysctl("ipv4/conf/lan0/send_redirects", 1)
    path.router.ip(f"route add {BEHIND} via {CLIENT}")
    path.client.ip(f"address add {NEIGHBOUR}/32 dev lo")
    _lay(path, replace(plan, hairpinning=hairpinning))
    assert _redirects(path) == (0 if hairpinning else 1)

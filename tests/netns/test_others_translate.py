"""Others translate on the same router, by conntrack: what is theirs goes by."""

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface

import pytest
from scapy.layers.sctp import crc32c
from support.situations import assert_served, daemon_of, nfmasq_only, problems

from netns.conftest import MakeLab
from nfmasq.lab.clients import ping
from nfmasq.lab.foreign import iptables, nft
from nfmasq.lab.inner import Inner
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.neighbours import containers
from nfmasq.lab.neighbours.neighbour import Findings
from nfmasq.lab.packets import ip
from nfmasq.lab.probes import KINDS, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT1, EXTERNAL, ROUTER_INTERNAL, SERVER1, SERVER2
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

PODMAN = """
table inet netavark {
    chain dnat_prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        fib daddr type local tcp dport { 8080, 30080 } dnat ip to 10.88.0.2:80
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 10.88.0.0/16 ip daddr != 10.88.0.0/16 masquerade
    }
}
"""
LIBVIRT = tuple(
    f"-t nat -A POSTROUTING -s 192.168.122.0/24 ! -d 192.168.122.0/24 {ports}"
    for ports in (
        "-p tcp -j MASQUERADE --to-ports 1024-65535",
        "-p udp -j MASQUERADE --to-ports 1024-65535",
        "-j MASQUERADE",
    )
)
WIREGUARD = ("-t nat -A POSTROUTING -s 10.8.0.0/24 -o wan0 -j MASQUERADE",)
STRICT = (
    "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
    "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    f"-A FORWARD -i wan0 -d {CLIENT1} -j ACCEPT",
    "-A FORWARD -i lan0 -j ACCEPT",
    "-A FORWARD -j DROP",
)
"""Answers pass where connection tracking knows what they answer."""
SCTP, INIT, INIT_ACK, COOKIE_ECHO = 132, 1, 2, 10
DEFAULT_HOST = {"forward": [{"to": str(CLIENT1)}]}


def guest_of(lab: Lab, bridge: str, own: str, address: str) -> Namespace:
    """What is behind a bridge of others, with the lab's servers in it."""
    inner = lab.enter(Inner(lab.topology.router, bridge, IPv4Interface(own), IPv4Interface(address)))
    lab.enter(Servers((inner.guest,), lab.payload))
    return inner.guest


def assert_answered(guest: Namespace) -> None:
    """What a guest begins is answered, from low and high ports, and its pings."""
    silent = [
        (kind, port)
        for port in (5060, 20000, 40000)
        for kind in KINDS
        if not seen_as(guest, SERVER2, kind, source_port=port)
    ]
    assert not silent
    assert ping(guest, SERVER2, count=2).received == 2


def test_a_container_engine_works(make_lab: MakeLab) -> None:
    made: list[Inner] = []
    lab = make_lab(prepare=lambda lab: made.append(containers.engine(lab)))
    findings = Findings()
    containers.check(lab, made[0], findings)
    assert findings.wrong == []
    assert_served(lab)


@nfmasq_only("the kernel has no default host")
def test_what_a_container_begins_is_answered_beside_a_default_host(make_lab: MakeLab) -> None:
    made: list[Inner] = []
    lab = make_lab(prepare=lambda lab: made.append(containers.engine(lab)), config=DEFAULT_HOST)
    assert_answered(made[0].guest)
    assert_served(lab)


def assert_both_reached(lab: Lab) -> None:
    """Published ports reach the container, by hosts outside and inside; all others the default host."""
    net = lab.topology
    for caller in (net.server1, net.client2):
        for port in (containers.PUBLISHED, containers.NODE_PORT):
            assert seen_as(caller, EXTERNAL, "tcp", port=port) is not None, (caller.role, port)
        for kind in KINDS:
            assert seen_as(caller, EXTERNAL, kind) is not None, (caller.role, kind)
    rows = daemon_of(lab).api(f"/v1/sessions?host={CLIENT1}")["sessions"]
    begun = {row["internal"] for row in rows if row["remote"].startswith(str(SERVER1))}
    assert {f"{CLIENT1}:80", f"{CLIENT1}:53"} <= begun
    assert f"{CLIENT1}:{containers.NODE_PORT}" not in begun


@nfmasq_only("the kernel has no default host")
@pytest.mark.parametrize("firewall", [(), STRICT], ids=["plain", "strict firewall"])
def test_published_ports_are_the_containers_beside_a_default_host(
    make_lab: MakeLab, firewall: tuple[str, ...]
) -> None:
    def prepare(lab: Lab) -> None:
        containers.engine(lab)
        iptables(lab.topology.router, *firewall)
        lab.enter(Servers((lab.topology.client1,), lab.payload))

    lab = make_lab(prepare=prepare, config=DEFAULT_HOST)
    assert_both_reached(lab)
    assert ping(lab.topology.server1, EXTERNAL, count=2).received == 2
    assert_served(lab)


@nfmasq_only("the kernel has no default host")
def test_an_sctp_association_with_the_default_host_begins_behind_a_strict_firewall(make_lab: MakeLab) -> None:
    """Its first INIT is answered by an INIT ACK with its tag: a firewall that drops INVALID takes it."""

    def prepare(lab: Lab) -> None:
        containers.engine(lab)
        iptables(lab.topology.router, *STRICT)

    net = make_lab(prepare=prepare, config=DEFAULT_HOST).topology
    near = Wire(net.client1, "eth0", (net.router, "lan0"))
    with Wire(net.server1, "eth0", (net.router, "wan0")) as far, near as lan:
        far.send_ip(ip(SERVER1, EXTERNAL, SCTP, sctp(1701, 80, 0, INIT, tag=0x01020304)))
        lan.expect(lambda packet: packet[9] == SCTP)
        lan.send_ip(ip(CLIENT1, SERVER1, SCTP, sctp(80, 1701, 0x01020304, INIT_ACK, tag=0x05060708)))
        answer = far.expect(lambda packet: packet[9] == SCTP)
        assert answer[12:16] == EXTERNAL.packed
        echo = sctp(1701, 80, 0x05060708, COOKIE_ECHO)
        far.send_ip(ip(SERVER1, EXTERNAL, SCTP, echo))
        lan.expect(lambda packet: packet.endswith(echo))


def sctp(source: int, destination: int, expected: int, kind: int, tag: int | None = None) -> bytes:
    """A packet of one chunk (RFC 9260 section 3.3). tag: of an INIT or INIT ACK."""
    value = b"cookie.." if tag is None else struct.pack("!IIHHI", tag, 1 << 16, 1, 1, 1)
    chunk = struct.pack("!BBH", kind, 0, 4 + len(value)) + value
    header = struct.pack("!HHI", source, destination, expected)
    checksum: Callable[[bytes], int] = crc32c
    return header + checksum(header + bytes(4) + chunk).to_bytes(4) + chunk


@nfmasq_only("the kernel has no default host")
def test_a_container_engine_may_come_and_go_beside_a_default_host(make_lab: MakeLab) -> None:
    lab = make_lab(
        prepare=lambda lab: lab.enter(Servers((lab.topology.client1,), lab.payload)) and None,
        config=DEFAULT_HOST,
    )
    net = lab.topology
    assert seen_as(net.server1, EXTERNAL, "tcp", port=containers.PUBLISHED) is None
    assert seen_as(net.server1, EXTERNAL, "tcp") is not None
    containers.engine(lab)
    daemon_of(lab).cli("flush", "--all")
    wait_until(lambda: seen_as(net.server1, EXTERNAL, "tcp", port=containers.PUBLISHED), "the container", 30)
    assert_both_reached(lab)
    iptables(net.router, "-t nat -F")
    daemon_of(lab).cli("flush", "--all")
    wait_until(lambda: not _waits(lab), "the rules behind those of others to go", 30)
    assert seen_as(net.server1, EXTERNAL, "tcp") is not None


def _waits(lab: Lab) -> bool:
    """Does a rule of ours stand behind the rules that lead inside?"""
    listed = lab.topology.router.run("nft", "list", "ruleset", check=False)
    return "untaken" in listed + lab.topology.router.run("iptables-save", check=False)


def test_podmans_nft_table_works(make_lab: MakeLab) -> None:
    guests: list[Namespace] = []

    def prepare(lab: Lab) -> None:
        guests.append(guest_of(lab, "podman0", "10.88.0.1/16", "10.88.0.2/16"))
        nft(lab.topology.router, PODMAN)

    lab = make_lab(prepare=prepare)
    for port in (8080, 30080):
        assert seen_as(lab.topology.server1, EXTERNAL, "tcp", port=port) is not None
        assert seen_as(lab.topology.client1, EXTERNAL, "tcp", port=port) is not None
    assert_answered(guests[0])
    assert_served(lab)


@pytest.mark.parametrize(
    ("bridge", "own", "address", "rules"),
    [
        ("virbr0", "192.168.122.1/24", "192.168.122.5/24", LIBVIRT),
        ("wg0", "10.8.0.1/24", "10.8.0.2/24", WIREGUARD),
    ],
    ids=["libvirt", "WireGuard"],
)
def test_another_masqueraded_network_works(
    make_lab: MakeLab, bridge: str, own: str, address: str, rules: tuple[str, ...]
) -> None:
    guests: list[Namespace] = []

    def prepare(lab: Lab) -> None:
        guests.append(guest_of(lab, bridge, own, address))
        iptables(lab.topology.router, *rules)

    lab = make_lab(prepare=prepare)
    assert_answered(guests[0])
    assert seen_as(lab.topology.client1, IPv4Address(address.partition("/")[0]), "tcp") is not None
    assert_served(lab)


@pytest.mark.parametrize("port", [8080, 30000], ids=["low port", "port of the range"])
def test_a_port_that_miniupnpd_leads_to_a_lan_host_works(make_lab: MakeLab, port: int) -> None:
    def prepare(lab: Lab) -> None:
        iptables(
            lab.topology.router,
            "-t nat -N MINIUPNPD",
            "-t nat -A PREROUTING -i wan0 -j MINIUPNPD",
            f"-t nat -A MINIUPNPD -p tcp --dport {port} -j DNAT --to-destination {CLIENT1}:80",
            f"-t nat -A MINIUPNPD -p udp --dport {port} -j DNAT --to-destination {CLIENT1}:53",
        )
        lab.enter(Servers((lab.topology.client1,), lab.payload))

    lab = make_lab(prepare=prepare)
    for kind in KINDS:
        seen = seen_as(lab.topology.server1, EXTERNAL, kind, port=port)
        assert seen is not None
        assert seen[0] == SERVER1
    assert_served(lab)


@nfmasq_only("the kernel has no default host")
@pytest.mark.parametrize("protocol", [4, 47, 50], ids=["IPIP", "GRE", "ESP"])
def test_the_routers_own_tunnel_is_its_own_beside_a_default_host(make_lab: MakeLab, protocol: int) -> None:
    """Without connection tracking. What a stranger sends goes to the default host."""
    lab = make_lab(config=DEFAULT_HOST)
    net = lab.topology
    tunnel: socket.socket = net.router.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, protocol)
    tunnel.connect((str(SERVER1), 0))
    with tunnel, Wire(net.server1, "eth0", (net.router, "wan0")) as far, Wire(net.client1, "eth0") as lan:
        tunnel.settimeout(1)
        tunnel.send(b"\0\0\x08\0keepalive")
        far.expect(lambda packet: packet[9] == protocol)

        def answered() -> bool:
            far.send_ip(ip(SERVER1, EXTERNAL, protocol, b"\0\0\x08\0answer"))
            with suppress(OSError):  # the server's kernel knows no such protocol, and says so
                return tunnel.recv(100).endswith(b"answer")
            return False

        wait_until(answered, "the router's own tunnel to get its packets", 10)
        list(lan.seen())
        assert answered() or answered()
        assert not [packet for packet in lan.seen() if packet[9] == protocol]
        far.send_ip(ip(IPv4Address("203.0.113.11"), EXTERNAL, protocol, b"\0\0\x08\0stranger"))
        lan.expect(lambda packet: packet[9] == protocol)


@nfmasq_only("it is the kernel's own rule")
@pytest.mark.parametrize(
    "rule",
    [
        "-t nat -A POSTROUTING -o wan0 -j MASQUERADE",
        f"-t nat -A POSTROUTING -s 192.168.0.0/16 -j SNAT --to {EXTERNAL}",
    ],
    ids=["MASQUERADE", "SNAT"],
)
def test_a_forgotten_rule_that_translates_the_same_is_told(make_lab: MakeLab, rule: str) -> None:
    lab = make_lab(prepare=lambda lab: iptables(lab.topology.router, rule))
    wait_until(lambda: rule.split()[-1 if "MASQ" in rule else -3] in problems(lab), "the status to name it")
    assert_served(lab)


@nfmasq_only("the kernel has no status")
def test_rules_that_translate_others_are_no_problem(make_lab: MakeLab) -> None:
    lab = make_lab(prepare=containers.engine)
    assert "MASQUERADE" not in problems(lab)
    assert "DNAT" not in problems(lab)


@nfmasq_only("the kernel answers for its own")
def test_a_port_that_is_nobodys_is_still_refused(make_lab: MakeLab) -> None:
    """A port of the range without session, forward, rule or socket: dropped with its reason, no answer."""
    lab = make_lab()
    net = lab.topology
    assert lab.daemon is not None
    before = sum(lab.daemon.drops().values())
    with Wire(net.server1, "eth0") as wire:
        assert seen_as(net.server1, EXTERNAL, "udp", port=20000, patience=0.5) is None
        own = ROUTER_INTERNAL.packed
        assert not [packet for packet in wire.seen() if own in packet]
    assert sum(lab.daemon.drops().values()) > before

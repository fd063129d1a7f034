"""What the egress program drops and lets by, on the kernel, with neither rules nor a daemon there."""

import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path as FilePath

import pytest
from support.path import CLIENT, EXTERNAL, PORT, SERVER, Path
from support.paths import outside
from support.situations import rename
from support.wire import Wire

from diversion.test_exempt import _is_the_end, _spoof
from diversion.traffic import ICMP, TIME_EXCEEDED, eventually, udp
from nfmasq.diversion import DiversionPlan
from nfmasq.diversion.backend import DEFAULT_MARK
from nfmasq.diversion.egress import DROPS, EgressGuard, remove_all, unavailable
from nfmasq.diversion.egress.build import COMPILER, OBJECT, build
from nfmasq.diversion.egress.object import BadObject, read
from nfmasq.lab.namespace import join
from nfmasq.lab.wire import Wire as CableTap

pytestmark = pytest.mark.root

PUBLIC, PUBLIC_HOST = IPv4Network("192.0.2.128/28"), "192.0.2.130"
HANDED_OUT = ((20000, 29999),)


@pytest.fixture
def guard(path: Path, plan: DiversionPlan) -> Iterator[EgressGuard]:
    """The program on the router's external interface."""
    made = EgressGuard()
    path.router.call(made.install, replace(plan, ports=HANDED_OUT))
    yield made
    path.router.call(made.remove)


def _dropped(guard: EgressGuard) -> dict[str, int]:
    return {name: count for name, count in guard.dropped().items() if count}


def test_an_internal_source_does_not_leave(path: Path, guard: EgressGuard) -> None:
    with path.receiver() as receiver:
        udp(path.client, SERVER, PORT)
        assert eventually(lambda: _dropped(guard) == {"external": 1})
        udp(path.router, SERVER, PORT, b"end")
        assert receiver.recv(100) == b"end"


def test_a_source_that_is_nobodys_does_not_leave_from_inside(path: Path, guard: EgressGuard) -> None:
    with path.receiver() as receiver:
        _spoof(path, SERVER, "198.18.0.1")
        assert eventually(lambda: _dropped(guard) == {"external": 1})
        udp(path.router, SERVER, PORT, b"end")
        assert receiver.recv(100) == b"end"


def test_exempt_destinations_and_untranslated_networks_pass(
    path: Path, guard: EgressGuard, plan: DiversionPlan
) -> None:
    path.client.ip(f"address add {PUBLIC_HOST}/32 dev c0")
    path.router.call(guard.install, replace(plan, untranslated=(PUBLIC,)))
    with path.receiver() as receiver:
        _spoof(path, SERVER, PUBLIC_HOST)
        assert receiver.recvfrom(100)[1][0] == PUBLIC_HOST
        path.router.call(guard.install, replace(plan, exempt=(IPv4Network(f"{SERVER}/32"),)))
        udp(path.client, SERVER, PORT)
        assert receiver.recvfrom(100)[1][0] == CLIENT
    assert _dropped(guard) == {}


def test_an_error_does_not_quote_an_internal_address(path: Path, guard: EgressGuard) -> None:
    path.server.ip(f"route add {CLIENT}/32 via {EXTERNAL}")
    with Wire(path.server, "s0") as wire:
        with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as dying:
            dying.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            dying.sendto(b"dies", (CLIENT, PORT))
        assert eventually(lambda: _dropped(guard) == {"quoted": 1})
        udp(path.router, SERVER, PORT, b"end")
        assert TIME_EXCEEDED not in [
            each.packet[20] for each in wire.until(_is_the_end) if each.protocol == ICMP
        ]


OTHER_MARK, OTHER_BITS = 1 << 9, 0x7FFF
BEHIND = "192.168.5.5"
"""Routed to the client again: what it sends there comes back by the interface it came in by."""


@pytest.mark.parametrize(
    ("marks", "passes"),
    [
        ((DEFAULT_MARK, DEFAULT_MARK), False),
        ((DEFAULT_MARK, DEFAULT_MARK | OTHER_BITS), False),
        ((OTHER_MARK, OTHER_MARK), False),
        ((OTHER_MARK, DEFAULT_MARK), True),
        ((DEFAULT_MARK, OTHER_BITS), True),
        ((DEFAULT_MARK, 0), True),
    ],
)
def test_a_hairpinned_packet_reaches_no_host_with_its_internal_source(
    path: Path, guard: EgressGuard, plan: DiversionPlan, marks: tuple[int, int], passes: bool
) -> None:
    """The rule of the second pass went while it was under way. marks: the plan's, and the packet's."""
    given, packet = marks
    path.router.call(guard.install, replace(plan, hairpinning=True, mark=given))
    path.router.ip(f"route add {BEHIND}/32 via {CLIENT}")
    path.router.sysctl("ipv4/conf/lan0/send_redirects", 0)
    path.iptables(f"-t mangle -A PREROUTING -i lan0 -d {BEHIND} -j MARK --set-mark {packet}")
    with CableTap(path.client, "c0") as tap:
        udp(path.client, BEHIND, PORT)
        if passes:
            assert tap.expect(lambda seen: seen[8] == 63 and seen[12:16] == IPv4Address(CLIENT).packed)
        else:
            assert eventually(lambda: _dropped(guard) == {"external": 1})
            assert not [seen for seen in tap.seen() if seen[8] == 63]
    assert (_dropped(guard) == {}) == passes


@pytest.mark.parametrize("packet", [DEFAULT_MARK, DEFAULT_MARK | OTHER_BITS])
def test_the_bit_of_a_packet_from_another_interface_is_another_program_s(
    path: Path, guard: EgressGuard, plan: DiversionPlan, packet: int
) -> None:
    """As of a tunnel to a second house, whose hosts have addresses of the internal network."""
    path.router.call(guard.install, replace(plan, hairpinning=True))
    join(path.client, "t0", path.router, "tun0")
    path.router.ip("address add 10.9.9.1/30 dev tun0", f"route add {BEHIND}/32 via {CLIENT}")
    path.client.ip("address add 10.9.9.2/30 dev t0", f"route add {BEHIND}/32 via 10.9.9.1 src {CLIENT}")
    for interface in ("all", "tun0"):
        path.router.sysctl(f"ipv4/conf/{interface}/rp_filter", 0)
    path.iptables(f"-t mangle -A PREROUTING -i tun0 -j MARK --set-mark {packet}")
    with CableTap(path.client, "c0") as tap:
        udp(path.client, BEHIND, PORT)
        assert tap.expect(lambda seen: seen[8] == 63 and seen[12:16] == IPv4Address(CLIENT).packed)
    assert _dropped(guard) == {}


@pytest.mark.parametrize(("port", "answered"), [(25000, False), (19999, True), (30000, True)])
def test_the_routers_own_stack_answers_no_segment_for_a_port_of_ours(
    path: Path, guard: EgressGuard, port: int, answered: bool
) -> None:
    with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM) as opened:
        opened.settimeout(1)
        error = opened.connect_ex((EXTERNAL, port))
    assert (error == 111) == answered
    assert (_dropped(guard) == {}) == answered


@pytest.mark.parametrize(("port", "answered"), [(25000, False), (19999, True), (30000, True)])
def test_nor_a_datagram(path: Path, guard: EgressGuard, port: int, answered: bool) -> None:
    with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(1)
        opened.connect((EXTERNAL, port))
        opened.send(b"who")
        if answered:
            with pytest.raises(ConnectionRefusedError):
                opened.recv(1)
        else:
            with pytest.raises(TimeoutError):
                opened.recv(1)
            assert _dropped(guard) == {"own_answer": 1}


def test_a_socket_of_the_router_may_reset_and_refuse(path: Path, guard: EgressGuard) -> None:
    """A connection of the router itself has a socket; nfmasq's refusals come from a raw one."""
    with (
        path.router.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM) as listener,
        path.server.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM) as client,
    ):
        listener.bind((EXTERNAL, 25000))
        listener.listen()
        client.settimeout(2)
        client.connect((EXTERNAL, 25000))
        accepted, _ = listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        accepted.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert _dropped(guard) == {}


def test_under_another_name_the_interface_stays_guarded(path: Path, guard: EgressGuard) -> None:
    names = {name for _, name in path.router.call(socket.if_nameindex)}
    rename(path.router, "wan0", "other0")
    assert names - {name for _, name in path.router.call(socket.if_nameindex)} == {"wan0"}
    udp(path.client, SERVER, PORT)
    assert eventually(lambda: _dropped(guard) == {"external": 1})
    path.router.ip("link set other0 name wan0")


def test_another_process_takes_the_place_in_one_step_and_removes_it(
    path: Path, guard: EgressGuard, plan: DiversionPlan
) -> None:
    later = EgressGuard()
    path.router.call(later.install, plan)
    udp(path.client, SERVER, PORT)
    assert eventually(lambda: _dropped(later) == {"external": 1})
    assert _dropped(guard) == {}
    path.router.call(remove_all)
    assert not path.router.call(later.present)
    assert "clsact" not in path.router.run("tc", "qdisc", "show")
    assert path.router.call(later.keep, plan), "that it was gone is told"
    assert path.router.call(later.present)
    assert not path.router.call(later.keep, plan)
    path.router.call(later.remove)


def test_filters_of_others_stay(path: Path, guard: EgressGuard) -> None:
    path.router.run(
        *[
            "tc",
            "filter",
            "add",
            "dev",
            "wan0",
            "ingress",
            "protocol",
            "ip",
            "prio",
            "5",
            "u32",
            "match",
            "u32",
            "0",
            "0",
            "flowid",
            "1:1",
        ]
    )
    path.router.call(guard.remove)
    assert "u32" in path.router.run("tc", "filter", "show", "dev", "wan0", "ingress")
    assert "nfmasq" not in path.router.run("tc", "filter", "show", "dev", "wan0", "egress")


def test_a_network_stays_guarded_while_it_is_cut_up(
    path: Path, guard: EgressGuard, plan: DiversionPlan
) -> None:
    halves = tuple(network for each in plan.networks for network in each.subnets())
    path.router.call(guard.install, replace(plan, networks=halves))
    udp(path.client, SERVER, PORT)
    path.router.call(guard.install, replace(plan, networks=(IPv4Network("10.99.0.0/16"),), internal=("lo",)))
    with path.receiver() as receiver:
        udp(path.client, SERVER, PORT, b"of no network of ours")
        assert receiver.recv(100) == b"of no network of ours"
    assert _dropped(guard) == {"external": 1}


def test_the_kernel_takes_it_and_every_drop_has_a_name(path: Path, guard: EgressGuard) -> None:
    assert unavailable() == ""
    assert tuple(guard.dropped()) == DROPS


def test_another_external_address_is_followed(path: Path, guard: EgressGuard, plan: DiversionPlan) -> None:
    def refused() -> bool:
        with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_STREAM) as opened:
            opened.settimeout(0.5)
            return bool(opened.connect_ex((EXTERNAL, 25000)) == 111)

    moved = replace(plan, ports=HANDED_OUT, externals=outside("203.0.113.77"))
    assert not refused()
    path.router.call(guard.install, moved)
    assert refused(), "the address is the router's alone"
    path.router.call(guard.install, replace(moved, externals=outside("203.0.113.77", EXTERNAL)))
    assert not refused(), "the second of two addresses"


def test_without_the_capability_it_says_so() -> None:
    code = "from nfmasq.diversion.egress import unavailable; print(unavailable())"
    said = subprocess.run(
        ["setpriv", "--bounding-set", "-bpf,-sys_admin", "--inh-caps", "-bpf,-sys_admin", "--reuid", "65534",
         "--clear-groups", sys.executable, "-c", code],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Operation not permitted" in said.stdout
    assert "CAP_BPF" in said.stdout


def test_a_damaged_object_is_told() -> None:
    data = OBJECT.read_bytes()
    for cut in (0, 3, 63, 64, len(data) // 2):
        with pytest.raises(BadObject):
            read(data[:cut])


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"there is no {COMPILER}")
def test_the_object_in_the_tree_is_what_the_source_makes(tmp_path: FilePath) -> None:
    built = build(tmp_path / "program.o")
    assert built.good, built.complaint
    assert (tmp_path / "program.o").read_bytes() == OBJECT.read_bytes()

"""The guard stops internal sources at the external interface when no other rule does."""

import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path as FilePath

import pytest
from support.nfqueue import ACCEPT, KernelQueue
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, ROUTER_INSIDE, SERVER, Path
from support.paths import only_programs, outside
from support.wire import UDP, Seen, Wire, with_source

import nfmasq
from diversion.rules import listed, saved
from diversion.traffic import ICMP, OWN_PORT, TIME_EXCEEDED, UNREACHABLE, udp
from nfmasq.diversion import DiversionPlan, DiversionUnavailable, guard, iptables, nftables, probe
from nfmasq.diversion.iptables import IptablesDiversion
from nfmasq.machine import programs as program

pytestmark = pytest.mark.root

ROUTED, BEYOND = "198.51.100.77", "192.0.2.1"
"""An address of a pool that is on no interface, and a host on the Internet."""

# Lays the rules and the guard, holds the queue, and waits to be killed.
DAEMON = f"""
import sys
from ipaddress import IPv4Address, IPv4Network
from netfilterqueue import NetfilterQueue
from nfmasq.diversion import DiversionPlan, External, guard, probe
lan = (IPv4Network("192.168.1.0/24"),)
outside = (External("wan0", (IPv4Address("{EXTERNAL}"),)),)
plan = DiversionPlan(("lan0",), outside, lan, ((1024, 32767),), ({QUEUE}, 1))
queue = NetfilterQueue()
queue.bind({QUEUE}, lambda packet: packet.drop())
guard.install(plan)
probe("auto").install(plan)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["nftables", "iptables", "iptables-legacy"])
def guarding(
    request: pytest.FixtureRequest, path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath
) -> str:
    """The program the guard is laid by, as on a machine that has nft, or only one kind of iptables."""
    if request.param != "nftables":
        only_programs(monkeypatch, tmp_path, legacy=request.param == "iptables-legacy")
    kind: str = path.router.call(guard.backend)
    assert kind == request.param.partition("-")[0]
    return kind


def _arrives_only_after(path: Path, remedy: Callable[[], object]) -> None:
    """What the client sends must not arrive before `remedy`, and must after it."""
    with path.sender() as sender, path.receiver() as receiver:
        sender.send(b"before")
        remedy()
        sender.send(b"after")
        assert receiver.recv(100) == b"after"


def test_a_guard_that_is_emptied_while_it_is_laid_is_missed(
    path: Path, guarding: str, plan: DiversionPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a program that comes between the laying and the look at what was laid."""
    empties = {
        "nftables": ("nft", "flush", "chain", "ip", guard.TABLE, "egress"),
        "iptables": ("iptables", "-t", "mangle", "-F"),
    }[guarding]
    by_nft, by_iptables = nftables.listing, iptables.rules

    def emptied_first(table: str) -> object:
        if guarding == "nftables" or table == "mangle":
            program.run(*empties)
        return by_nft(table) if guarding == "nftables" else by_iptables(table)

    where = (nftables, "listing") if guarding == "nftables" else (iptables, "rules")
    path.router.call(guard.install, plan)
    assert path.router.call(guard.present)
    path.router.call(guard.remove)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(*where, emptied_first)
        path.router.call(guard.install, plan)
    assert not path.router.call(guard.present)


def test_without_daemon_and_rules_an_internal_source_is_dropped(
    path: Path, guarding: str, plan: DiversionPlan
) -> None:
    path.router.call(guard.install, plan)
    _arrives_only_after(path, lambda: path.router.call(guard.remove))


def test_a_source_that_is_not_even_internal_is_dropped_when_it_comes_from_inside(
    path: Path, guarding: str, plan: DiversionPlan
) -> None:
    path.router.call(guard.install, replace(plan, networks=(IPv4Network("10.0.0.0/8"),)))
    _arrives_only_after(path, lambda: path.router.call(guard.remove))


def test_the_routers_own_packet_with_an_internal_source_is_dropped(
    path: Path, guarding: str, plan: DiversionPlan
) -> None:
    path.router.call(guard.install, plan)
    with path.receiver() as receiver:
        own: socket.socket = path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        with own:
            own.bind((ROUTER_INSIDE, OWN_PORT))
            with pytest.raises(PermissionError):
                own.sendto(b"internal", (SERVER, PORT))
        udp(path.router, SERVER, PORT, b"external")
        assert receiver.recvfrom(100)[0] == b"external"


def test_what_neither_came_from_inside_nor_bears_an_internal_source_passes(
    path: Path, guarding: str, plan: DiversionPlan
) -> None:
    path.router.call(guard.install, replace(plan, internal=("lan1",), networks=(IPv4Network("10.0.0.0/8"),)))
    with path.sender() as sender, path.receiver() as receiver:
        sender.send(b"a routed network beside the internal one")
        assert receiver.recvfrom(100)[1][0] == CLIENT


def test_without_an_external_address_nothing_from_inside_leaves(
    path: Path, guarding: str, plan: DiversionPlan
) -> None:
    path.router.call(guard.install, replace(plan, externals=outside(), networks=()))
    _arrives_only_after(path, lambda: path.router.call(guard.remove))


@pytest.mark.parametrize("first", ["guard first", "diversion first"])
def test_what_was_translated_passes_the_guard(
    path: Path, guarding: str, plan: DiversionPlan, first: str
) -> None:
    steps = [guard.install, IptablesDiversion().install]
    for step in steps if first == "guard first" else reversed(steps):
        path.router.call(step, plan)
    with path.sender() as sender, path.receiver() as receiver:
        with KernelQueue(path.router, QUEUE).open() as queue:
            sender.send(b"translated")
            packet = queue.receive()
            assert packet is not None
            queue.decide(packet, ACCEPT, with_source(packet.payload, EXTERNAL))
        assert receiver.recvfrom(100) == (b"translated", (EXTERNAL, sender.getsockname()[1]))


def test_it_stands_when_the_diversion_is_gone(path: Path, guarding: str, plan: DiversionPlan) -> None:
    diversion = IptablesDiversion()
    path.router.call(guard.install, plan)
    path.router.call(diversion.install, plan)
    path.router.call(diversion.remove)
    assert path.router.call(guard.present)
    _arrives_only_after(path, lambda: path.router.call(guard.remove))


def test_installing_the_diversion_anew_leaves_the_guard_as_it_is(
    path: Path, guarding: str, plan: DiversionPlan
) -> None:
    diversion = IptablesDiversion()
    path.router.call(guard.install, plan)
    for _ in range(3):
        path.router.call(diversion.install, plan)
    assert path.router.call(guard.present)
    path.router.call(guard.install, plan)
    assert path.router.call(diversion.present)


def test_a_killed_daemon_leaves_nothing_a_way_out(path: Path) -> None:
    daemon = path.router.popen(
        sys.executable, "-c", DAEMON, stdin=-1, stdout=-1, cwd=FilePath(nfmasq.__file__).parent.parent
    )
    with daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "ready\n"
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(10)
    assert path.router.call(guard.present)
    diversion = path.router.call(probe)
    with path.sender() as sender, path.receiver() as receiver:
        sender.send(b"diverted to nobody")
        path.router.call(diversion.remove)
        sender.send(b"stopped by the guard")
        path.router.call(guard.remove)
        sender.send(b"after")
        assert receiver.recv(100) == b"after"


def test_the_routers_error_that_quotes_an_internal_address_is_dropped_by_nft(
    path: Path, plan: DiversionPlan
) -> None:
    path.server.ip(f"route add 192.168.1.0/24 via {EXTERNAL}")

    def errors_seen() -> list[Seen]:
        """What the router answers to a packet that dies in it, and to one for a closed port of its own."""
        with Wire(path.server, "s0") as wire:
            dying: socket.socket = path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
            with dying:
                dying.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
                dying.sendto(b"dies", (CLIENT, PORT))
            udp(path.server, EXTERNAL, OWN_PORT)
            udp(path.router, SERVER, PORT, b"end")
            return [seen for seen in wire.until(lambda seen: seen.protocol == UDP) if seen.protocol == ICMP]

    assert [seen.packet[20] for seen in errors_seen()] == [TIME_EXCEEDED, UNREACHABLE]
    path.router.call(guard.install, plan)
    unguarded = errors_seen()
    assert [seen.packet[20] for seen in unguarded] == [UNREACHABLE]
    assert struct.unpack_from("!4s", unguarded[0].packet, 44)[0] == socket.inet_aton(EXTERNAL)


@pytest.mark.parametrize("addresses", [(ROUTED,), ()])
def test_what_is_for_an_address_on_no_interface_does_not_go_back_out_and_is_counted(
    path: Path, guarding: str, plan: DiversionPlan, addresses: tuple[str, ...]
) -> None:
    """The next router would send it in again, and again, until its time to live is over."""
    path.router.ip(f"route add default via {SERVER}")
    path.server.ip(f"route add {ROUTED} via {EXTERNAL}", f"address add {BEYOND}/32 dev lo")

    def comes_back() -> bool:
        with Wire(path.server, "s0") as wire, path.server.call(socket.socket) as stranger:
            stranger.bind((BEYOND, 0))
            stranger.setblocking(False)
            with suppress(BlockingIOError):
                stranger.connect((ROUTED, OWN_PORT))
            udp(path.router, SERVER, PORT, b"end")
            seen = wire.until(lambda each: each.packet.endswith(b"end"))
            return any(each.protocol == socket.IPPROTO_TCP for each in seen)

    assert comes_back(), "there was none to stop"
    path.router.call(guard.install, replace(plan, externals=outside(*addresses)))
    assert not comes_back()
    assert path.router.call(guard.dropped)["returned"] > 0


def test_it_is_present_whole_and_gone_when_removed(path: Path, guarding: str, plan: DiversionPlan) -> None:
    assert not path.router.call(guard.present)
    path.router.call(guard.install, plan)
    assert path.router.call(guard.present)
    path.router.call(guard.remove)
    path.router.call(guard.remove)
    assert not path.router.call(guard.present)
    assert "nfmasq" not in listed(path) + "\n".join(saved(path))


def test_a_hole_in_it_is_noticed_and_mended(path: Path, guarding: str, plan: DiversionPlan) -> None:
    path.router.call(guard.install, plan)
    for hole in (
        "nft insert rule ip nfmasq_guard egress accept",
        "iptables -t mangle -I nfmasq-guard -j ACCEPT",
        "iptables-legacy -t mangle -I nfmasq-guard -j ACCEPT",
    ):
        path.router.run(*hole.split(), check=False)  # two of them find no such chain
    assert not path.router.call(guard.present)
    path.router.call(guard.install, plan)
    assert path.router.call(guard.present)
    _arrives_only_after(path, lambda: path.router.call(guard.remove))


def test_another_address_takes_the_place_of_the_first(path: Path, guarding: str, plan: DiversionPlan) -> None:
    path.router.call(guard.install, plan)
    path.router.call(guard.install, replace(plan, externals=outside("198.51.100.77")))
    text = listed(path) + "\n".join(saved(path))
    assert "198.51.100.77" in text
    assert EXTERNAL not in text


def test_an_administrators_rules_are_untouched(path: Path, guarding: str, plan: DiversionPlan) -> None:
    for kind in ("iptables", "iptables-legacy"):
        path.router.run(*f"{kind} -t mangle -A POSTROUTING -o wan0 -p tcp -j TTL --ttl-inc 1".split())
    before = saved(path)
    path.router.call(guard.install, plan)
    path.router.call(guard.install, plan)
    assert [line for line in saved(path) if line in before] == before
    path.router.call(guard.remove)
    assert saved(path) == before


def test_a_successor_finds_the_guard_of_a_process_that_died(
    path: Path, guarding: str, plan: DiversionPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.router.call(guard.install, plan)
    monkeypatch.setattr(guard, "_state", {})
    assert path.router.call(guard.present)
    path.router.call(guard.remove)
    assert not path.router.call(guard.present)


def test_without_any_program_the_refusal_names_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath
) -> None:
    monkeypatch.setattr(program, "search_path", lambda: str(tmp_path))
    with pytest.raises(DiversionUnavailable, match="apt install nftables"):
        guard.backend()

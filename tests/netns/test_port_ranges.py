"""Port ranges as providers give them, and low ports for clients that need them."""

import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack

import pytest
from support.situations import BY_KERNEL, Call, daemon_of, nfmasq_only

from netns.conftest import MakeLab
from nfmasq.lab.clients import Download
from nfmasq.lab.lab import Lab
from nfmasq.lab.packets import Endpoint
from nfmasq.lab.probes import KINDS, Kind, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, SERVER2
from nfmasq.lab.waiting import wait_until

MAP_E = [(4096 * n + 0x120, 4096 * n + 0x12F) for n in range(1, 16)]
"""Fifteen sets of sixteen ports: a PSID of eight bits behind an offset of four (RFC 7597, appendix B)."""
THREE = [(2000, 2099), (5000, 5063), (40000, 40099)]
LOW = range(600, 1024)


def text(ranges: Iterable[tuple[int, int]]) -> str:
    """The ranges as nat.ports has them."""
    return ", ".join(f"{low}-{high}" for low, high in ranges)


def kernel_rules(ranges: list[tuple[int, int]]) -> tuple[str, ...]:
    """What router firmwares do: a rule for each range, taken in turns."""
    return tuple(
        f"-t nat -A POSTROUTING -o wan0 -p {kind}"
        f" -m statistic --mode nth --packet 0 --every {len(ranges) - nth}"
        f" -j MASQUERADE --to-ports {low}-{high}"
        for kind in KINDS
        for nth, (low, high) in enumerate(ranges)
    )


def ports_of(lab: Lab, count: int, kind: Kind = "udp", first: int = 20_000) -> list[int]:
    """The external ports of this many sessions of client1, each from an endpoint of its own."""
    seen: list[Endpoint | None] = [
        seen_as(lab.topology.client1, SERVER1, kind, source_port=first + number, patience=0.5)
        for number in range(count)
    ]
    assert None not in seen
    return [each[1] for each in seen if each]


def ranges_of(ports: Iterable[int], ranges: list[tuple[int, int]]) -> set[tuple[int, int] | None]:
    """In which ranges the ports lie; None: in none of them."""
    return {next((each for each in ranges if each[0] <= port <= each[1]), None) for port in ports}


@pytest.mark.parametrize("ranges", [MAP_E, THREE], ids=["MAP-E", "three ranges"])
def test_sessions_use_all_ranges_and_no_other_port(make_lab: MakeLab, ranges: list[tuple[int, int]]) -> None:
    lab = make_lab(config={"nat": {"ports": text(ranges)}}, kernel_rules=kernel_rules(ranges))
    for kind in KINDS:
        used = ranges_of(ports_of(lab, 60, kind), ranges)
        assert None not in used
        assert len(used) > 1


@nfmasq_only("the kernel shares a port among remote endpoints")
def test_the_last_port_of_every_range_is_handed_out(make_lab: MakeLab) -> None:
    ranges = [(2000, 2003), (5000, 5003), (40000, 40003)]
    lab = make_lab(config={"nat": {"ports": text(ranges), "low_ports": ""}, "limits": {"ports_per_host": 12}})
    ports = ports_of(lab, 12)
    assert sorted(ports) == [port for low, high in ranges for port in range(low, high + 1)]
    assert seen_as(lab.topology.client2, SERVER1, patience=0.5) is None


def test_forwards_inside_and_outside_of_the_ranges(make_lab: MakeLab) -> None:
    """Inside of one its port is set apart; between two and below them nothing is handed out."""
    forwarded = (22, 3000, 5003, 50000)
    lab = make_lab(
        prepare=lambda lab: lab.enter(Servers((lab.topology.client1,), lab.payload)) and None,
        config={
            "nat": {"ports": text(THREE)},
            "forward": [
                {"protocol": "tcp", "external_port": port, "to": f"{CLIENT1}:80"} for port in forwarded
            ],
        },
        kernel_rules=(
            *kernel_rules(THREE),
            *(
                f"-t nat -A PREROUTING -d {EXTERNAL} -p tcp --dport {port} -j DNAT --to {CLIENT1}:80"
                for port in forwarded
            ),
        ),
    )
    net = lab.topology
    assert [port for port in forwarded if not seen_as(net.server2, EXTERNAL, "tcp", port=port)] == []
    ports = ports_of(lab, 60, "tcp")
    if not BY_KERNEL:
        assert 5003 not in ports
    assert None not in ranges_of(ports, THREE)


def test_ranges_change_by_a_reload(make_lab: MakeLab) -> None:
    if BY_KERNEL:
        pytest.skip("the kernel reads no configuration")
    lab = make_lab(config={"nat": {"ports": text(THREE)}})
    assert lab.daemon is not None
    before = ports_of(lab, 10)
    lab.daemon.write_config({"nat": {"ports": text(MAP_E)}})
    assert lab.daemon.api("/v1/reload", "POST")["reloaded"]
    wait_until(
        lambda: ranges_of(ports_of(lab, 5, first=30_000), MAP_E) <= set(MAP_E), "ports of the new ranges", 3
    )
    assert None not in ranges_of(before, THREE)
    assert None not in ranges_of(ports_of(lab, 20, first=31_000), MAP_E)


@nfmasq_only("the kernel reads no configuration")
@pytest.mark.parametrize(
    "narrower", ["2000-2009", "50000-50099", "40000-40049, 50000"], ids=["part", "elsewhere", "both"]
)
def test_connections_beyond_a_narrower_range_go_on_until_they_end(make_lab: MakeLab, narrower: str) -> None:
    """The rules reach over their ports, and then no longer."""
    lab = make_lab(config={"nat": {"ports": text(THREE), "low_ports": ""}})
    daemon, client = daemon_of(lab), lab.topology.client1
    with ExitStack() as stack:
        calls = [stack.enter_context(Call(client, SERVER1)) for _ in range(30)]
        before = [call.seen_as() for call in calls]
        assert None not in before
        download = Download(client, SERVER1)
        daemon.write_config({"nat": {"ports": narrower, "low_ports": ""}})
        assert daemon.api("/v1/reload", "POST")["reloaded"]
        assert [call.seen_as() for call in calls] == before
        assert download.wait().sha256 == lab.payload.sha256
        wanted = [
            (int(each.partition("-")[0]), int(each.rpartition("-")[2])) for each in narrower.split(", ")
        ]
        assert None not in ranges_of(ports_of(lab, 5, first=30_000), wanted)
        beyond = next(each[1] for each in before if each and ranges_of([each[1]], wanted) == {None})
        assert _rules_reach(lab, beyond)
    daemon.cli("flush", "--all")
    wait_until(lambda: not _rules_reach(lab, beyond), "the rules to narrow", 5)


@nfmasq_only("the kernel reads no configuration")
def test_connections_beyond_a_narrower_range_outlive_a_restart(make_lab: MakeLab) -> None:
    lab = make_lab(config={"nat": {"ports": "5000-5063", "low_ports": ""}})
    daemon = daemon_of(lab)
    with Call(lab.topology.client1, SERVER1) as call:
        before = call.seen_as()
        assert before is not None
        daemon.write_config({"nat": {"ports": "50000-50099", "low_ports": ""}})
        daemon.kill()
        daemon.start()
        assert call.seen_as() == before


def _rules_reach(lab: Lab, port: int) -> bool:
    """Is a datagram from outside to this port of no session dropped, or is it the router's own affair?"""
    before = daemon_of(lab).drops()
    seen_as(lab.topology.server1, EXTERNAL, "udp", port=port, patience=0.2)
    return daemon_of(lab).drops() != before


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_that_sends_from_a_low_port_gets_one(make_lab: MakeLab, kind: Kind) -> None:
    """NFS and rsh servers believe ports below 1024 alone (RFC 4787 REQ-3a)."""
    lab = make_lab()
    for client in (lab.topology.client1, lab.topology.client2):
        seen = seen_as(client, SERVER2, kind, source_port=700)
        assert seen is not None
        assert seen[0] == EXTERNAL
        assert seen[1] in LOW
        high = seen_as(client, SERVER2, kind, source_port=7000)
        assert high is not None
        assert high[1] >= 1024


LOCAL_PORTS_S = 1.5
"""The daemon looks once a second which ports local sockets hold."""


@nfmasq_only("the kernel does not spare the router's own ports")
def test_a_low_port_of_a_local_service_is_spared(make_lab: MakeLab) -> None:
    """All of a small range but one port are bound on the router."""
    lab = make_lab(config={"nat": {"low_ports": "600-603"}})
    net = lab.topology
    bound: list[socket.socket] = []
    try:
        for port in (600, 601, 603):
            sock: socket.socket = net.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("", port))
            bound.append(sock)

        time.sleep(LOCAL_PORTS_S)

        def port_seen() -> int | None:
            seen = seen_as(net.client1, SERVER2, source_port=700 + len(tried), patience=0.5)
            tried.append(seen)
            return seen[1] if seen else None

        tried: list[Endpoint | None] = []
        wait_until(lambda: port_seen() == 602, "the one free low port", 4, 0.5)
        second = seen_as(net.client2, SERVER2, source_port=700, patience=3)
        assert second is not None
        assert second[1] >= 1024, "no low port is left"
    finally:
        for sock in bound:
            sock.close()


@nfmasq_only("the kernel reads no configuration")
@pytest.mark.parametrize(
    "nat", [{"low_ports": ""}, {"ports": "2000-2999"}], ids=["none", "none beside ranges of one's own"]
)
def test_without_low_ports_a_low_client_gets_another_port(make_lab: MakeLab, nat: dict[str, str]) -> None:
    lab = make_lab(config={"nat": nat})
    seen = seen_as(lab.topology.client1, SERVER2, source_port=700)
    assert seen is not None
    assert seen[1] >= 1024

"""Rules away, by whatever hand, an interface renamed: nothing leaves untranslated, no transfer breaks."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from support.situations import pinging, rename

from nfmasq.lab.clients import Download, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

SO_RCVBUFFORCE = 33
SLOWLY = ("--limit-rate", "20M")


@pytest.fixture(autouse=True)
def _running_at_the_end(net: Topology, daemon: DaemonUnderLab) -> Iterator[None]:
    yield
    if not daemon.running:
        daemon.start()
    wait_until(lambda: ping(net.client1, SERVER1, count=1).received == 1, "the router to translate")


FLUSHES = {
    "everything, by nft": ("nft flush ruleset",),
    "raw and mangle, by iptables": (
        "iptables -t raw -F",
        "iptables -t mangle -F",
        "nft flush chain ip nfmasq inbound",
    ),
    "every table of ours": ("nft delete table ip nfmasq_guard", "nft delete table ip nfmasq"),
}


@pytest.mark.parametrize("what", FLUSHES)
def test_flushed_twenty_times_in_two_seconds_nothing_leaks_and_transfers_survive(
    net: Topology, daemon: DaemonUnderLab, lab: Lab, what: str
) -> None:
    running = [Download(net.client1, SERVER1, *SLOWLY) for _ in range(2)]
    try:
        wait_until(lambda: all(each.received > 100_000 for each in running), "the downloads to be under way")
        with pinging(net):
            for _ in range(20):
                for command in FLUSHES[what]:
                    net.router.run(*command.split(), check=False)
                time.sleep(0.1)
        assert [each.wait().sha256 for each in running] == [lab.payload.sha256] * 2
    finally:
        for each in running:
            each.close()
    assert lab.sentinel.leaks == []


def test_a_guard_drop_is_listed_and_counted(net: Topology, daemon: DaemonUnderLab, lab: Lab) -> None:
    with pinging(net):
        for _ in range(10):
            net.router.run("nft", "flush", "ruleset")
            time.sleep(0.05)
    assert daemon.drops().get("guard_source", 0) > 0
    row = next(each for each in daemon.api("/v1/drops")["drops"] if each["reason"] == "guard_source")
    assert row["class"] == "guard"
    assert daemon.metrics()['nfmasq_guard_dropped_packets_total{reason="guard_source"}'] == row["count"]
    assert lab.sentinel.leaks == []


def test_every_packet_that_vanishes_is_counted(net: Topology, daemon: DaemonUnderLab) -> None:
    """Sent and received are compared; what waits in a queue at a flush is a rejected verdict afterwards."""
    before, sent = _counted(daemon), 0
    with (
        net.server2.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sink,
        net.client2.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as source,
    ):
        sink.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)  # none is lost in the sink
        sink.bind(("", 9999))
        sink.settimeout(1)
        for _ in range(5):
            reinstalled = daemon.api("/v1/status")["rules"]["reinstalled"]
            net.router.run("nft", "flush", "ruleset")
            while daemon.api("/v1/status")["rules"]["reinstalled"] == reinstalled:
                for _ in range(20):
                    sent += source.sendto(b"x", (str(SERVER2), 9999))
                    time.sleep(0.001)
        received = 0
        with suppress(TimeoutError):
            while sink.recv(1):
                received += 1
    vanished = sent - received
    assert vanished > 0, "there was none to count"
    wait_until(lambda: _counted(daemon) - before >= vanished, f"{vanished} packets to be counted")


def _counted(daemon: DaemonUnderLab) -> int:
    """All drops, and what the kernel's queues lost."""
    lost = ("nfmasq_queue_dropped_packets_total", "nfmasq_queue_rejected_verdicts_total")
    series = daemon.metrics()
    return sum(daemon.drops().values()) + sum(int(n) for name, n in series.items() if name.startswith(lost))


def test_under_another_name_the_external_interface_lets_nothing_out(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    with pinging(net):
        rename(net.router, "wan0", "elsewhere0")
        try:
            time.sleep(2)
        finally:
            net.router.ip("link set elsewhere0 name wan0")
    assert lab.sentinel.leaks == []


ENDS: dict[str, Callable[[DaemonUnderLab], object]] = {
    "stopped": lambda daemon: daemon.stop(),
    "killed": lambda daemon: daemon.kill(),
}


@pytest.mark.parametrize("end", ENDS)
def test_without_a_daemon_and_without_rules_nothing_leaks(
    net: Topology, daemon: DaemonUnderLab, lab: Lab, end: str
) -> None:
    with pinging(net):
        ENDS[end](daemon)
        net.router.run("nft", "flush", "ruleset")
        time.sleep(0.5)
        assert ping(net.client1, SERVER1, count=2).received == 0
    assert lab.sentinel.leaks == []


def test_withdrawn_the_router_forwards_as_without_nfmasq(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    daemon.stop()
    assert "nfmasq_egress" in net.router.run("tc", "filter", "show", "dev", "wan0", "egress")
    daemon.cli("withdraw")
    assert net.router.run("tc", "filter", "show", "dev", "wan0", "egress") == ""
    assert "clsact" not in net.router.run("tc", "qdisc", "show", "dev", "wan0")
    with pinging(net):
        wait_until(lambda: bool(lab.sentinel.leaks), "packets to leave as they are")
    lab.sentinel.take()

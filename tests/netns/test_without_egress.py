"""Without the egress program (no CAP_BPF): forwarding from inside stops until the guard is back."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.situations import pinging

from nfmasq.lab.clients import ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import SERVER1, Topology
from nfmasq.lab.waiting import wait_until

from .conftest import MakeLab

WITHOUT = "-bpf,-sys_admin,-perfmon"
PROGRAMS = ("nft", "iptables-restore", "iptables")


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """While this file exists, the daemon's programs that lay rules fail."""
    return tmp_path / "failing"


@pytest.fixture
def without(make_lab: MakeLab, tmp_path: Path, failing: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A lab whose daemon may not load programs into the kernel."""
    places = tmp_path / "bin"
    places.mkdir()
    for name in PROGRAMS:
        real = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        _script(places / name, f'[ -e {failing} ] && echo "not now" >&2 && exit 1\nexec {real} "$@"')
    python = sys.executable
    _script(
        places / "python",
        f'PATH={places}:$PATH exec setpriv --bounding-set={WITHOUT} --inh-caps={WITHOUT} {python} "$@"',
    )
    monkeypatch.setattr(sys, "executable", str(places / "python"))
    lab = make_lab()
    assert lab.daemon is not None
    return lab


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def _forwarding(net: Topology) -> str:
    keys = [f"net.ipv4.conf.{name}.forwarding" for name in ("all", "lan0", "wan0")]
    return str(net.router.run("sysctl", "-n", "net.ipv4.ip_forward", *keys))


def _stopped(net: Topology) -> bool:
    return str(net.router.run("sysctl", "-n", "net.ipv4.conf.lan0.forwarding")) == "0\n"


def _told(daemon: DaemonUnderLab) -> bool:
    return any("stopped until the guard is back" in each for each in daemon.api("/v1/status")["problems"])


def _daemon(lab: Lab) -> DaemonUnderLab:
    assert lab.daemon is not None
    return lab.daemon


def test_forwarding_is_off_until_the_guard_is_back_and_then_exactly_as_before(
    without: Lab, failing: Path
) -> None:
    net, daemon = without.topology, _daemon(without)
    assert any("no egress program" in each for each in daemon.api("/v1/status")["warnings"])
    before = _forwarding(net)
    with pinging(net):
        failing.touch()
        net.router.run("nft", "flush", "ruleset")
        wait_until(lambda: _stopped(net), "forwarding to stop")
        without.sentinel.take()  # until the daemon has seen it, packets leave
        time.sleep(1)
        assert without.sentinel.leaks == []
        wait_until(lambda: _told(daemon), "the problem to be told")
        failing.unlink()
        wait_until(lambda: _forwarding(net) == before, "forwarding to be as before", patience=10)
    wait_until(lambda: ping(net.client1, SERVER1, count=1).received == 1, "the router to translate")
    wait_until(lambda: not _told(daemon), "the problem to be gone")
    assert without.sentinel.leaks == []


def test_a_daemon_that_is_killed_meanwhile_leaves_word_for_the_next(without: Lab, failing: Path) -> None:
    net, daemon = without.topology, _daemon(without)
    before = _forwarding(net)
    failing.touch()
    net.router.run("nft", "flush", "ruleset")
    wait_until(lambda: _stopped(net), "forwarding to stop")
    daemon.kill()
    failing.unlink()
    daemon.start()
    assert _forwarding(net) == before
    assert ping(net.client1, SERVER1, count=2).received == 2


def test_forwarding_that_was_off_stays_off(without: Lab) -> None:
    net = without.topology
    net.router.run("sysctl", "-w", "net.ipv4.conf.lan0.forwarding=0")
    before = _forwarding(net)
    net.router.run("nft", "flush", "ruleset")
    wait_until(lambda: "nfmasq_guard" in net.router.run("nft", "list", "tables"), "the guard to be back")
    assert ping(net.client1, SERVER1, count=1).received == 0
    assert _forwarding(net) == before
    net.router.run("sysctl", "-w", "net.ipv4.conf.lan0.forwarding=1")
    wait_until(lambda: ping(net.client1, SERVER1, count=1).received == 1, "the router to translate")


def test_rules_of_others_do_not_stop_it(without: Lab) -> None:
    net, daemon = without.topology, _daemon(without)
    before = _forwarding(net)
    net.router.run(
        "nft", "add table inet theirs; add chain inet theirs forward { type filter hook forward priority 0; }"
    )
    wait_until(lambda: ping(net.client1, SERVER1, count=3).received == 3, "the router to translate")
    assert _forwarding(net) == before
    assert daemon.api("/v1/status")["problems"] == []

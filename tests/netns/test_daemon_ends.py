"""However the daemon ends, and whoever takes its rules away: nothing leaves untranslated."""

import signal
import socket
from collections.abc import Iterator

import pytest

from nfmasq.lab.clients import Download, ask, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import patient, wait_until

NEW = "203.0.113.77"
SLOWLY = ("--limit-rate", "25M")


@pytest.fixture(autouse=True)
def _running_at_the_end(daemon: DaemonUnderLab) -> Iterator[None]:
    yield
    if not daemon.running:
        daemon.start()


def _half_way(download: Download) -> None:
    wait_until(lambda: download.received > 10_000_000, "the download to be under way", patience=20)


def _rules(net: Topology) -> str:
    """All of iptables and nfmasq's own nft tables, as the programs list them."""
    tables = [line.split()[1:] for line in net.router.run("nft", "list", "tables").splitlines()]
    own = [" ".join(table) for table in tables if table[1].startswith("nfmasq")]
    return net.router.run("iptables-save") + "".join(
        net.router.run("nft", "list", "table", *table.split()) for table in own
    )


def test_killed_it_lets_nothing_out_and_started_again_it_goes_on(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    mapped = ask(net.client2, (SERVER1, 53), b"", source_port=5500)
    running = Download(net.client1, SERVER1, *SLOWLY)
    try:
        _half_way(running)
        daemon.kill()
        assert ping(net.client2, SERVER2, count=2).received == 0, "traffic went on without the daemon"
        assert lab.sentinel.leaks == []
        daemon.start()
        sessions = daemon.api("/v1/sessions?protocol=tcp&port=80")["sessions"]
        assert any(row["internal"].startswith(f"{CLIENT1}:") for row in sessions)
        assert ask(net.client2, (SERVER1, 53), b"", source_port=5500) == mapped, "another external port"
        assert running.wait().sha256 == lab.payload.sha256
    finally:
        running.close()


def test_the_status_says_how_many_sessions_were_found_again(net: Topology, daemon: DaemonUnderLab) -> None:
    ask(net.client1, (SERVER1, 53), b"")
    before = sum(daemon.api("/v1/status")["sessions"].values())
    daemon.kill()
    daemon.start()
    assert daemon.api("/v1/status")["recovered_sessions"] == before > 0


def test_terminated_it_ends_with_0_takes_the_rules_along_and_lets_nothing_out(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    assert "queue" in _rules(net).lower()
    assert daemon.stop() == 0
    assert "queue" not in _rules(net).lower()
    assert "nfmasq_guard" in _rules(net)
    assert ping(net.client1, SERVER1, count=2).received == 0
    assert lab.sentinel.leaks == []


def test_terminated_and_told_to_keep_the_rules_it_lets_nothing_out(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    daemon.stop()
    daemon.start("--keep-rules")
    assert daemon.stop() == 0
    assert "nfmasq_guard" in _rules(net)
    assert "NFQUEUE" in _rules(net) or "queue" in _rules(net)
    assert ping(net.client1, SERVER1, count=2).received == 0
    assert lab.sentinel.leaks == []


def test_what_a_daemon_left_can_be_withdrawn(net: Topology, daemon: DaemonUnderLab) -> None:
    assert "stop it first" in daemon.cli("withdraw", check=False)
    assert "nfmasq" in _rules(net)
    daemon.kill()
    assert daemon.cli("withdraw") == "no rules of nfmasq are left\n"
    assert "nfmasq" not in _rules(net)


def test_restarted_with_its_rules_kept_it_breaks_no_connection(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    daemon.stop()
    daemon.start("--keep-rules")
    running = Download(net.client1, SERVER1, *SLOWLY)
    try:
        _half_way(running)
        assert daemon.stop() == 0
        daemon.start()
        assert running.wait().sha256 == lab.payload.sha256
    finally:
        running.close()
    assert lab.sentinel.leaks == []


FLUSHES = {  # by whichever back end they were laid: the other's commands find nothing
    "inbound rules": (
        "iptables -t raw -F",
        "iptables -t raw -X",
        "nft flush chain ip nfmasq inbound",
    ),
    "outbound rules": (
        "iptables -t mangle -F",
        "iptables -t mangle -X",
        "nft flush chain ip nfmasq outbound",
    ),
    "all of them": (
        "iptables -t raw -F",
        "iptables -t mangle -F",
        "iptables -F",
        "iptables -t raw -X",
        "nft delete table ip nfmasq",
    ),
    "the guard": ("nft delete table ip nfmasq_guard",),
}


@pytest.mark.parametrize("what", FLUSHES)
def test_flushed_rules_are_back_within_a_second_and_nothing_leaks(
    net: Topology, daemon: DaemonUnderLab, lab: Lab, what: str
) -> None:
    before = daemon.api("/v1/status")["rules"]["restored"]
    whole = _rules_only(_rules(net))
    flood = net.client1.popen("ping", "-q", "-n", "-i", "0.002", str(SERVER1), stdout=-3)
    try:
        for command in FLUSHES[what]:
            net.router.run(*command.split(), check=False)  # a chain may be back before -X
        took = wait_until(lambda: _rules_only(_rules(net)) == whole, "the rules to be back")
        assert took < patient(1)
        wait_until(lambda: daemon.api("/v1/status")["rules"]["restored"] > before, "it to be counted")
        assert ping(net.client2, SERVER2, count=1).received == 1
    finally:
        flood.send_signal(signal.SIGINT)
        flood.wait()
    assert lab.sentinel.leaks == []


def _rules_only(listing: str) -> list[str]:
    """A listing without its comments and counters."""
    lines = (line.partition("[")[0].strip() for line in listing.splitlines() if not line.startswith("#"))
    return sorted(line for line in lines if "nfmasq" in line)


def test_everything_flushed_at_once_is_back_within_a_second(net: Topology, daemon: DaemonUnderLab) -> None:
    whole = _rules_only(_rules(net))
    net.router.run("nft", "flush", "ruleset")
    assert wait_until(lambda: _rules_only(_rules(net)) == whole, "rules and guard to be back") < patient(1)
    assert ping(net.client1, SERVER1, count=1).received == 1


def test_a_second_daemon_is_refused_and_the_first_unharmed(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    with pytest.raises(Exception, match=r"ended with [1-9]"), DaemonUnderLab(net):
        pass
    assert daemon.running
    assert ping(net.client1, SERVER1, count=1).received == 1
    assert "nfmasq" in _rules(net)


def _move_to(net: Topology, old: str, new: str) -> None:
    net.router.ip(
        f"address del {old}/24 dev wan0",
        f"address add {new}/24 dev wan0",
        f"route replace default via {net.isp_address}",
    )


def test_the_wan_address_changes_and_new_sessions_use_the_new_one(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    def seen_as() -> str:
        with net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.sendto(b"who", (str(SERVER1), 53))
            try:
                return str(sock.recv(100).decode().split()[0])
            except TimeoutError:
                return ""

    assert seen_as() == str(net.external)
    _move_to(net, str(net.external), NEW)
    try:
        wait_until(lambda: seen_as() == NEW, "the new address to be used")
        assert daemon.api("/v1/status")["address_changes"] >= 1
    finally:
        _move_to(net, NEW, str(net.external))
        wait_until(lambda: seen_as() == str(net.external), "the old address to be used again")
        allowed = [leak for leak in lab.sentinel.take() if NEW not in leak]
        assert not allowed

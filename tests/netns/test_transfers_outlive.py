"""Rules, names or the daemon are away: twenty transfers arrive whole, nothing crosses untranslated.

Both sides are captured: nothing with an internal address leaves by the WAN. On the LAN no host sees an RST,
another host's internal address, or a packet that is not for it.
The router has a listener of its own at the forwarded port, which would answer in the daemon's place.
"""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from support.situations import pinging

from nfmasq.lab.clients import ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.lan_sentinel import LanSentinel
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import INTERNAL, ROUTER_INTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until

from .transfers import FORWARD, FORWARDED, WHOLE, running

LAB = {"config": {"forward": [FORWARD]}, "megabytes": 5}

TABLES = ("raw", "mangle", "nat", "filter")
Event = Callable[[Lab], object]


@pytest.fixture(autouse=True)
def _running_at_the_end(net: Topology, daemon: DaemonUnderLab) -> Iterator[None]:
    yield
    if not daemon.running:
        daemon.start()
    daemon.cli("flush", "--all")
    wait_until(lambda: ping(net.client1, SERVER1, count=1).received == 1, "the router to translate")


def flush_nft(router: Namespace) -> None:
    """Every ruleset that nft knows."""
    router.run("nft", "flush", "ruleset")


def flush_iptables(router: Namespace) -> None:
    """What old firewall scripts begin with."""
    for table in TABLES:
        router.run("iptables", "-t", table, "-F")
        router.run("iptables", "-t", table, "-X", check=False)


def restore_iptables(router: Namespace) -> None:
    """Another program lays rules of its own in place of all others, as iptables-persistent does."""
    rules = "".join(
        f"*{table}\n:{'PREROUTING' if table != 'filter' else 'INPUT'} ACCEPT [0:0]\nCOMMIT\n"
        for table in TABLES
    )
    router.run("iptables-restore", input=rules)


def restore_nft(router: Namespace) -> None:
    """A service loads its file, which begins with a flush (firewalld, nftables.service)."""
    router.run("nft", "-f", "-", input=(
        "flush ruleset\n"
        "table inet filter {\nchain forward {\ntype filter hook forward priority 0; policy drop;\n"
        "ct state established,related accept\niifname lan0 accept\noifname lan0 accept\n}\n}\n"
    ))  # fmt: skip


FLUSHES: dict[str, Callable[[Namespace], None]] = {
    "nft flush ruleset": flush_nft,
    "iptables -F": flush_iptables,
    "iptables-restore": restore_iptables,
    "a ruleset of another program": restore_nft,
}


def _twenty_times(flush: Callable[[Namespace], None]) -> Event:
    def flushes(lab: Lab) -> None:
        for _ in range(20):
            flush(lab.topology.router)
            time.sleep(0.1)

    return flushes


def _once(flush: Callable[[Namespace], None]) -> Event:
    return lambda lab: flush(lab.topology.router)


def _rename(interface: str, seconds: float) -> Event:
    def renamed(lab: Lab) -> None:
        router = lab.topology.router
        router.ip(f"link set {interface} name elsewhere0")
        try:
            time.sleep(seconds)
        finally:
            router.ip(f"link set elsewhere0 name {interface}")

    return renamed


def _stopped_by_signal(lab: Lab) -> None:
    assert lab.daemon is not None
    with lab.daemon.halted():
        flush_iptables(lab.topology.router)
        time.sleep(1)


def _killed(lab: Lab) -> None:
    assert lab.daemon is not None
    lab.daemon.kill()
    flush_nft(lab.topology.router)
    flush_iptables(lab.topology.router)
    time.sleep(1)
    lab.daemon.start()


def _restarted(lab: Lab) -> None:
    assert lab.daemon is not None
    lab.daemon.stop()
    time.sleep(1)
    lab.daemon.start()


EVENTS: dict[str, Event] = {
    **{f"{name}, once": _once(flush) for name, flush in FLUSHES.items()},
    **{f"{name}, twenty times in two seconds": _twenty_times(flush) for name, flush in FLUSHES.items()},
    "the external interface has another name": _rename("wan0", 2),
    "the internal interface has another name": _rename("lan0", 2),
    "stopped by a signal, and no rules": _stopped_by_signal,
    "killed, and no rules": _killed,
    "restarted": _restarted,
}


@pytest.mark.parametrize("event", EVENTS)
def test_twenty_transfers_arrive_whole_and_no_internal_source_leaves(
    net: Topology, daemon: DaemonUnderLab, lab: Lab, event: str
) -> None:
    listener = net.router.call(socket.create_server, ("", FORWARDED))
    inside = LanSentinel(net.lan, "router", INTERNAL, ROUTER_INTERNAL)
    with listener, running(lab) as transfers, pinging(net), inside:
        EVENTS[event](lab)
        assert transfers.running, "the transfers outlasted it"
        assert transfers.fates() == WHOLE
        assert (lab.sentinel.leaks, inside.leaks) == ([], [])
        assert inside.frames > 1000
    net.router.run("nft", "delete", "table", "inet", "filter", check=False)

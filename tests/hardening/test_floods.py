"""Floods through the real path: of fragments that never become packets, and of packets worth a drop each."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from support.packets import HEADER, udp

from hardening.ends import CLIENT, SERVER, Ends
from hardening.pieces import cut, numbered, put_together
from hardening.segments import segment
from nfmasq.lab.clients import ask, ping
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until

ANYWHERE = IPv4Address("198.18.0.0")
STORE = 1 << 18
"""Bytes the router's kernel may spend on fragments."""
LIFE = 2
"""Seconds it waits for the rest of a packet."""
LARGE = bytes(3000)
SLACK = 1 << 17
"""What one packet more may take, with the kernel's own overhead."""


@pytest.fixture
def _small_store(net: Topology) -> Iterator[None]:
    changes = {"ipfrag_low_thresh": 0, "ipfrag_high_thresh": STORE, "ipfrag_time": LIFE}
    before = {key: net.router.run("cat", f"/proc/sys/net/ipv4/{key}").strip() for key in changes}
    for key, value in changes.items():
        net.router.sysctl(f"ipv4/{key}", value)
    yield
    for key in reversed(before):
        net.router.sysctl(f"ipv4/{key}", before[key])


def _stored(router: Namespace) -> int:
    """Bytes of fragments that wait, as the kernel counts them."""
    found = re.search(r"FRAG: inuse \d+ memory (\d+)", router.run("cat", "/proc/net/sockstat"))
    assert found is not None
    return int(found[1])


@pytest.mark.usefixtures("_small_store")
@pytest.mark.parametrize("way", ["out", "into"])
def test_orphans_fill_a_bounded_store_and_are_forgotten(way: str, ends: Ends, net: Topology) -> None:
    """Fragment store.

    The kernel's, with its cap and its clock: whole packets pass beside the flood, and fragments again after
    it.
    """
    whole = udp(CLIENT, 1600, SERVER, 53, LARGE) if way == "out" else udp(SERVER, 53, EXTERNAL, 20000, LARGE)
    orphans = [cut(numbered(whole, number), 1400)[number % 3] for number in range(1, 2001)]
    assert sum(map(len, orphans)) > 4 * STORE
    assert not (ends.out(orphans) if way == "out" else ends.into(orphans))
    assert 0 < _stored(net.router) <= STORE + SLACK
    assert ping(net.client1, SERVER1, count=1).received == 1
    wait_until(lambda: _stored(net.router) == 0, "the orphans to be forgotten", patience=4 * LIFE)
    (passed,) = put_together(ends.out(cut(numbered(udp(CLIENT, 1601, SERVER, 53, LARGE), 5), 1400)))
    assert passed[HEADER + 8 :] == LARGE
    assert ask(net.client2, (SERVER1, 7), bytes(9000)) == bytes(9000)


def test_dropped_packets_fill_neither_the_log_nor_the_metrics(ends: Ends, daemon: DaemonUnderLab) -> None:
    """Log and metric flooding.

    Of thousands of bad packets with a new address and port each, no line and no series is made.
    """
    log, series = daemon.log, set(daemon.metrics())
    dropped = sum(daemon.drops().values())
    for start in range(0, 4000, 500):
        numbers = range(start, start + 500)
        ends.out([udp(CLIENT, 0, ANYWHERE + number, 53) for number in numbers])
        ends.into([segment(SERVER + number % 100, 80, EXTERNAL, 20000 + number, 0) for number in numbers])
    assert sum(daemon.drops().values()) == dropped + 8000
    assert daemon.log == log
    assert set(daemon.metrics()) == series

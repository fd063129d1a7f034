"""One internal host attacks, with real packets and the default configuration: others begin all they ask for.

The attacker's packets come by a packet socket, so nothing of a host's stack slows them. The other host is
real, and so is the server that answers it. Nobody answers the attack.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from itertools import islice

import pytest
from hardening.attacks import ATTACKS, COUNT, Attack, fragments_without_the_rest
from hardening.ends import CLIENT, SERVER, Ends
from hardening.newcomers import begun
from support.packets import SYN, tcp

from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import EXTERNAL, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

GROUP = 1000


def _flood(wire: Wire, packets: Iterator[bytes], count: int, daemon: DaemonUnderLab) -> None:
    """Send so many, a group at a time: none is lost before it comes to the daemon."""
    for _ in range(0, count, GROUP):
        for packet in islice(packets, GROUP):
            wire.send_ip(packet)
        wait_until(lambda: daemon.waiting() < GROUP, "the daemon to have dealt with the packets")


@pytest.fixture(autouse=True)
def _cleared(daemon: DaemonUnderLab) -> Iterator[None]:
    """The next attack meets an empty table."""
    yield
    daemon.api("/v1/flush", "POST", {"all": True})


@pytest.fixture(scope="module")
def wires(lab: Lab) -> Iterator[tuple[Wire, Wire]]:
    """From the attacker's host, and from outside."""
    net = lab.topology
    with (
        Ends(net),
        Wire(net.client1, "eth0", (net.router, "lan0")) as inside,
        Wire(net.server1, "eth0", (net.router, "wan0")) as outside,
    ):
        yield inside, outside


@pytest.mark.parametrize(
    "attack", [*ATTACKS, fragments_without_the_rest], ids=lambda attack: str(attack.__name__)
)
def test_others_begin_all_they_ask_for_beside_an_attack_and_after_it(
    attack: Attack, wires: tuple[Wire, Wire], net: Topology, daemon: DaemonUnderLab
) -> None:
    packets = attack(CLIENT, SERVER)
    _flood(wires[0], packets, COUNT // 2, daemon)
    assert begun(net.client2) == 20
    _flood(wires[0], packets, 2 * COUNT, daemon)
    assert begun(net.client2) == 20


def _to_a_default_host() -> Iterator[bytes]:
    """SYNs from 40,000 outside endpoints, to as many ports."""
    for number in range(COUNT):
        yield tcp(IPv4Address("198.18.0.1") + number, 4000, EXTERNAL, 1024 + number, SYN)


def test_others_begin_though_the_default_host_is_flooded_from_outside(
    wires: tuple[Wire, Wire], net: Topology, daemon: DaemonUnderLab
) -> None:
    forward = daemon.api("/v1/forwards", "POST", {"to": str(CLIENT)})
    packets = _to_a_default_host()
    for _ in range(2):
        _flood(wires[1], packets, COUNT // 2, daemon)
        assert begun(net.client2) == 20
    daemon.api(f"/v1/forwards/{forward['id']}", "DELETE")


def _fill_problems(daemon: DaemonUnderLab) -> list[str]:
    return [problem for problem in daemon.api("/v1/status")["problems"] if "are in use" in problem]


def test_the_status_names_the_attacker_while_ports_run_short(
    wires: tuple[Wire, Wire], daemon: DaemonUnderLab
) -> None:
    attack: Callable[[IPv4Address, IPv4Address], Iterator[bytes]] = ATTACKS[0]
    assert _fill_problems(daemon) == []
    _flood(wires[0], attack(CLIENT, SERVER), COUNT, daemon)
    expected = f"80 % of the UDP ports of {EXTERNAL} are in use, most of them by {CLIENT}"
    wait_until(lambda: _fill_problems(daemon) == [expected], "the status to name the attacker")
    daemon.api("/v1/flush", "POST", {"host": str(CLIENT)})
    wait_until(lambda: _fill_problems(daemon) == [], "the status to be well again")

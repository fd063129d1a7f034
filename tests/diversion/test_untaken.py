"""What the rules of others left comes to a queue of its own, behind those rules and before routing."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from support.nfqueue import ACCEPT, PREROUTING, KernelQueue
from support.path import CLIENT, EXTERNAL, QUEUE, Path

from diversion.rules import listed, saved
from diversion.traffic import eventually, udp
from nfmasq.core.policy import ALL_PORTS, ANY_PROTOCOL, Forward, ForwardTarget
from nfmasq.diversion import Diversion, DiversionPlan
from nfmasq.diversion.iptables import IptablesDiversion
from nfmasq.diversion.nftables_rules import rules_table
from nfmasq.lab.namespace import join

pytestmark = pytest.mark.root

CONTAINER, PUBLISHED, OTHER, AGAIN = "172.17.0.2", 8080, 8081, 8082
UNTAKEN = QUEUE + 2
"""The second queue after those of the plan, which are one."""
DNAT = "-t nat -A PREROUTING -p udp --dport {} -j DNAT --to-destination 172.17.0.2:53"
DEFAULT_HOST = Forward(ANY_PROTOCOL, None, ALL_PORTS, (ForwardTarget(IPv4Address(CLIENT)),))


@pytest.fixture
def waiting(plan: DiversionPlan) -> DiversionPlan:
    """A plan with a default host beside rules of others that lead inside."""
    return replace(plan, forwards=(DEFAULT_HOST,), hairpinning=True, others_lead=True)


@pytest.fixture
def container(path: Path) -> Iterator[socket.socket]:
    """A container's socket behind an interface that is not internal, published by the kernel's DNAT."""
    join(path.client, "eth0", path.router, "dock0")
    path.router.ip("address add 172.17.0.1/24 dev dock0")
    path.client.ip(f"address add {CONTAINER}/24 dev eth0")
    with path.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((CONTAINER, 53))
        opened.settimeout(5)
        yield opened


def program(path: Path, rule: str) -> None:
    """Lay a rule of others by the kind of iptables that our own are laid by."""
    legacy = "nfmasq" in path.router.run("iptables-legacy-save")
    path.router.run("iptables-legacy" if legacy else "iptables", "-w", *rule.split())


def test_what_others_take_does_not_come_and_what_they_leave_does(
    path: Path, diversion: Diversion, waiting: DiversionPlan, container: socket.socket
) -> None:
    path.router.call(diversion.install, waiting)
    program(path, DNAT.format(PUBLISHED))
    assert not path.router.call(diversion.present), "their rule stands behind ours"
    path.router.call(diversion.install, waiting)
    assert path.router.call(diversion.present)
    with (
        KernelQueue(path.router, QUEUE).open() as first,
        KernelQueue(path.router, UNTAKEN).open() as untaken,
    ):
        for port in (PUBLISHED, OTHER):
            udp(path.server, EXTERNAL, port, b"%d" % port)
            packet = first.receive()
            assert packet is not None
            first.decide(packet, ACCEPT)
            if port == PUBLISHED:
                assert container.recv(100) == b"8080"
                assert untaken.receive(0.1) is None
        left = untaken.receive()
        assert left is not None
        assert (left.hook, left.payload[-4:]) == (PREROUTING, b"8081")


def test_a_socket_of_the_router_keeps_its_packets(
    path: Path, diversion: Diversion, waiting: DiversionPlan
) -> None:
    path.router.call(diversion.install, waiting)
    with (
        path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as local,
        KernelQueue(path.router, UNTAKEN).open() as untaken,
    ):
        local.bind(("", OTHER))
        local.settimeout(5)
        udp(path.server, EXTERNAL, OTHER, b"for the router")
        assert local.recv(100) == b"for the router"
        assert untaken.receive(0.1) is None


def test_the_rules_go_with_those_of_others(path: Path, diversion: Diversion, waiting: DiversionPlan) -> None:
    path.router.call(diversion.install, waiting)
    assert "untaken" in "\n".join(saved(path)) + listed(path)
    path.router.call(diversion.install, replace(waiting, others_lead=False))
    assert path.router.call(diversion.present)
    assert "PREROUTING -i wan0 -j nfmasq-untaken" not in "\n".join(saved(path))
    assert f"queue num {UNTAKEN}" not in listed(path)
    path.router.call(diversion.install, waiting)
    path.router.call(diversion.remove)
    assert "nfmasq" not in "\n".join(saved(path)) + listed(path)


@pytest.mark.parametrize("changes", [{"others_lead": False}, {"forwards": ()}])
def test_without_need_the_table_nat_is_not_touched(
    path: Path, diversion: Diversion, waiting: DiversionPlan, changes: dict[str, object]
) -> None:
    """To look at it enables connection tracking."""
    path.router.call(diversion.install, replace(waiting, **changes))  # type: ignore[arg-type]
    assert path.router.call(diversion.present)
    path.router.call(diversion.remove)
    for text in (path.router.run("iptables-legacy-save"), path.router.run("iptables-save")):
        assert "*nat" not in text or isinstance(diversion, IptablesDiversion) is False


def test_nft_has_them_behind_the_rules_of_others(
    path: Path, waiting: DiversionPlan, container: socket.socket
) -> None:
    """On a kernel that need not have nft's `queue` expression: counting in its place."""
    text = rules_table(waiting).anew()
    assert text.count(f"queue num {UNTAKEN}") == 1
    counting = text.replace(f"queue num {UNTAKEN}", "counter accept").replace(f"queue num {QUEUE}", "accept")
    path.router.run("nft", "-f", "-", input=counting)
    path.iptables(DNAT.format(PUBLISHED))

    def counted() -> int:
        listing = json.loads(path.router.run("nft", "-j", "list", "chain", "ip", "nfmasq", "untaken"))
        steps = [step for entry in listing["nftables"] for step in entry.get("rule", {}).get("expr", [])]
        return next(int(step["counter"]["packets"]) for step in steps if "counter" in step)

    udp(path.server, EXTERNAL, PUBLISHED, b"published")
    assert container.recv(100) == b"published"
    assert counted() == 0
    for count, port in enumerate((OTHER, AGAIN), 1):
        udp(path.server, EXTERNAL, port)
        assert eventually(lambda: counted() == count)  # noqa: B023
    with path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as local:
        local.bind(("", OTHER + 100))
        udp(path.server, EXTERNAL, OTHER + 100)
    assert counted() == 2

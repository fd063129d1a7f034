"""What the first look let by and the kernel would deliver to a port of ours is queued once more."""

import socket
from dataclasses import replace

import pytest
from support.nfqueue import ACCEPT, DROP, INPUT, POSTROUTING, PREROUTING, KernelQueue, Packet
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, SERVER, Path

from diversion.test_nftables import ASSIGNED, DIVERT, LATE_UDP, OWN_ERROR, RULES, _counted, _counters, _met
from diversion.traffic import ECHO_REQUEST, ICMP, OWN_PORT, POOL_PORT, exchange_over_tcp, icmp, raw, udp
from nfmasq.diversion import Diversion, DiversionPlan
from nfmasq.diversion.nftables_rules import rules_table
from nfmasq.lab.namespace import join

pytestmark = pytest.mark.root

CONTAINER = "172.17.0.2"


def _next(queue: KernelQueue) -> Packet:
    packet = queue.receive()
    assert packet is not None
    return packet


def _let_by(queue: KernelQueue) -> None:
    """Let the first look's packet go on, as the core does with what it knows nothing of."""
    packet = _next(queue)
    assert packet.hook == PREROUTING
    queue.decide(packet, ACCEPT)


@pytest.fixture
def diverted(path: Path, diversion: Diversion, plan: DiversionPlan) -> Path:
    """The router with the rules in force."""
    path.router.call(diversion.install, replace(plan, hairpinning=True))
    return path


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_what_nobody_took_comes_to_the_queue_before_the_router_answers(
    diverted: Path, kind: socket.SocketKind
) -> None:
    for sender in (diverted.server, diverted.client):
        with (
            KernelQueue(diverted.router, QUEUE).open() as queue,
            sender.call(socket.socket, socket.AF_INET, kind) as caller,
        ):
            caller.setblocking(False)
            caller.connect_ex((EXTERNAL, POOL_PORT))
            if kind == socket.SOCK_DGRAM:
                caller.send(b"x")
            _let_by(queue)
            late = _next(queue)
            assert (late.hook, late.payload[16:20]) == (INPUT, socket.inet_aton(EXTERNAL))
            queue.decide(late, DROP)
            refusals = queue.receive(0.2)
            assert refusals is None or refusals.hook != POSTROUTING, "the router answered"


def test_only_ports_of_ours_come_a_second_time(diverted: Path) -> None:
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        raw(diverted.server, ICMP, icmp(ECHO_REQUEST))
        _let_by(queue)
        assert queue.receive(0.2) is None
        udp(diverted.server, EXTERNAL, OWN_PORT)
        assert _next(queue).hook == POSTROUTING, "the router's own answer"


def test_a_local_socket_that_opened_meanwhile_gets_the_packet(diverted: Path) -> None:
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        udp(diverted.server, EXTERNAL, POOL_PORT, b"for the router")
        first = _next(queue)
        with diverted.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as local:
            local.bind(("", POOL_PORT))
            local.settimeout(5)
            queue.decide(first, ACCEPT)
            assert local.recv(100) == b"for the router"


def test_what_a_filter_drops_in_input_comes_to_the_queue_before(diverted: Path) -> None:
    diverted.iptables("-A INPUT -j DROP")
    with KernelQueue(diverted.router, QUEUE).open() as queue:
        udp(diverted.server, EXTERNAL, POOL_PORT)
        _let_by(queue)
        assert _next(queue).hook == INPUT


def test_a_reply_that_conntrack_takes_to_a_container_does_not_come_a_second_time(diverted: Path) -> None:
    """The container's own call by a port of ours: the kernel translates it, and its answer."""
    _with_container(diverted)
    with (
        KernelQueue(diverted.router, QUEUE).open() as queue,
        diverted.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as container,
        diverted.receiver() as receiver,
    ):
        container.bind((CONTAINER, POOL_PORT))
        container.settimeout(5)
        container.sendto(b"call", (SERVER, PORT))
        assert receiver.recvfrom(100) == (b"call", (EXTERNAL, POOL_PORT))
        receiver.sendto(b"answer", (EXTERNAL, POOL_PORT))
        _let_by(queue)
        assert container.recv(100) == b"answer"
        assert queue.receive(0.1) is None


def test_a_published_port_of_ours_is_reached(diverted: Path) -> None:
    _with_container(diverted)
    diverted.iptables(
        f"-t nat -A PREROUTING -i wan0 -p udp --dport {POOL_PORT} -j DNAT --to-destination {CONTAINER}:53"
    )
    with (
        KernelQueue(diverted.router, QUEUE).open() as queue,
        diverted.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as container,
    ):
        container.bind((CONTAINER, 53))
        container.settimeout(5)
        udp(diverted.server, EXTERNAL, POOL_PORT, b"published")
        _let_by(queue)
        assert container.recv(100) == b"published"


def _with_container(path: Path) -> None:
    """A container's network behind an interface that is not internal, masqueraded by the kernel."""
    join(path.client, "eth0", path.router, "dock0")
    path.router.ip("address add 172.17.0.1/24 dev dock0")
    path.client.ip(f"address add {CONTAINER}/24 dev eth0", "route replace default via 172.17.0.1 dev eth0")
    path.iptables("-t nat -A POSTROUTING -s 172.17.0.0/24 -o wan0 -j MASQUERADE")


def test_nft_takes_the_same_to_the_second_look(path: Path, plan: DiversionPlan) -> None:
    """Counting and letting by, so that the second look sees what the first one saw."""
    _lay_counting(path, replace(plan, hairpinning=True))
    exchange_over_tcp(path, "0.0.0.0")
    assert _late(path) == 0
    for count, sender in enumerate((path.server, path.client), 1):
        udp(sender, EXTERNAL, POOL_PORT)
        udp(sender, EXTERNAL, OWN_PORT)
        assert _late(path) == count


def test_nft_leaves_what_comes_from_inside_to_the_router_while_there_is_no_hairpinning(
    path: Path, plan: DiversionPlan
) -> None:
    _lay_counting(path, plan)
    udp(path.client, EXTERNAL, POOL_PORT)
    udp(path.client, CLIENT, POOL_PORT)
    assert _counters(path) == [0] * RULES
    udp(path.server, EXTERNAL, POOL_PORT)
    assert _counted(path, _met({ASSIGNED: 1, LATE_UDP: 1, OWN_ERROR: 1}))


def _lay_counting(path: Path, plan: DiversionPlan) -> None:
    text = rules_table(plan).anew().replace(DIVERT, "counter accept")
    path.router.run("nft", "-f", "-", input=text)


def _late(path: Path) -> int:
    return _counters(path)[LATE_UDP]

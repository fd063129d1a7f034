"""Several uplinks, networks that are not translated, spans of ports: what is diverted and what is let by."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.nfqueue import DROP, PREROUTING, KernelQueue
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, SERVER, Path

from diversion.rules import saved
from diversion.test_exempt import _spoof
from diversion.test_nftables import DIVERT, RULES, _counters
from diversion.traffic import OWN_PORT, eventually, udp
from nfmasq.diversion import Diversion, DiversionPlan, DiversionUnavailable, External
from nfmasq.diversion.iptables import IptablesDiversion
from nfmasq.diversion.nftables_rules import rules_table
from nfmasq.lab.namespace import join

pytestmark = pytest.mark.root

SECOND, BEYOND_SECOND = "198.51.100.2", "198.51.100.9"
"""The router's address by the second uplink, and a host there."""
PUBLIC, PUBLIC_HOST = IPv4Network("192.0.2.0/28"), "192.0.2.2"
"""A public network on the internal interface, and a host in it."""
SPANS = tuple((first, first + 9) for first in range(2048, 2048 + 64 * 256, 64))

Seen = tuple[int, str, str]


@pytest.fixture
def whole(path: Path, plan: DiversionPlan) -> DiversionPlan:
    """A plan for a router with two uplinks and a public network inside, which is also made here."""
    join(path.router, "wwan0", path.server, "s1")
    path.router.ip(f"address add {SECOND}/24 dev wwan0", "address add 192.0.2.1/28 dev lan0")
    path.server.ip(f"address add {BEYOND_SECOND}/24 dev s1", f"route add {PUBLIC} via {EXTERNAL}")
    path.client.ip(f"address add {PUBLIC_HOST}/28 dev c0")
    return replace(
        plan,
        externals=(*plan.externals, External("wwan0", (IPv4Address(SECOND),))),
        untranslated=(PUBLIC,),
        ports=SPANS,
    )


@pytest.fixture(params=["iptables", "counting"])
def seen(request: pytest.FixtureRequest, path: Path, whole: DiversionPlan) -> Iterator[Callable[[], int]]:
    """How many packets were diverted since the last call, by whichever back end."""
    if request.param == "counting":
        path.router.run("nft", "-f", "-", input=rules_table(whole).anew().replace(DIVERT, "counter drop"))
        before = [0]

        def counted() -> int:
            eventually(lambda: sum(_counters(path)) != before[0], 0.3)
            last, before[0] = before[0], sum(_counters(path))
            return before[0] - last

        yield counted
        return
    diversion: Diversion = request.getfixturevalue("by_iptables")
    path.router.call(diversion.install, whole)
    assert path.router.call(diversion.present)
    with KernelQueue(path.router, QUEUE).open() as queue:

        def queued() -> int:
            count = 0
            while packet := queue.receive(0.3):
                queue.decide(packet, DROP)
                count += 1
            return count

        yield queued


@pytest.fixture
def by_iptables() -> Diversion:
    """The back end by iptables."""
    return IptablesDiversion()


def _from(path: Path, source: str, destination: str, port: int = PORT) -> None:
    """One datagram of the client or the server from one of its addresses."""
    host = path.client if source in {CLIENT, PUBLIC_HOST} else path.server
    with host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((source, 0))
        opened.sendto(b"x", (destination, port))


def test_what_leaves_by_either_uplink_is_diverted(path: Path, seen: Callable[[], int]) -> None:
    for destination in (SERVER, BEYOND_SECOND):
        _from(path, CLIENT, destination)
        assert seen() == 1


def test_what_comes_in_by_either_uplink_for_any_external_address_is_diverted(
    path: Path, seen: Callable[[], int]
) -> None:
    for address in (EXTERNAL, SECOND):
        udp(path.server, address, SPANS[0][0])
        assert seen() == 1


@pytest.mark.parametrize("span", [SPANS[0], SPANS[100], SPANS[-1]])
def test_of_many_spans_each_port_is_diverted_and_none_between(
    path: Path, seen: Callable[[], int], span: tuple[int, int]
) -> None:
    for port in span:
        udp(path.server, EXTERNAL, port)
    assert seen() == 2
    for port in (span[0] - 1, span[1] + 1):
        with path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as local:
            local.bind(("", port))
            local.settimeout(5)
            udp(path.server, EXTERNAL, port)
            assert local.recv(100) == b"x"
    assert seen() == 0


def test_an_untranslated_network_is_let_by_both_ways(path: Path, seen: Callable[[], int]) -> None:
    for source, destination in ((PUBLIC_HOST, SERVER), (SERVER, PUBLIC_HOST)):
        called = path.server if destination == SERVER else path.client
        with called.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind((destination, PORT))
            listener.settimeout(5)
            _from(path, source, destination)
            data, address = listener.recvfrom(100)
            assert (data, address[0]) == (b"x", source)
    assert seen() == 0


def test_a_source_of_neither_network_is_diverted_to_be_judged(path: Path, seen: Callable[[], int]) -> None:
    _spoof(path, SERVER, "192.0.2.99")
    assert seen() == 1


def test_an_internal_source_from_outside_is_diverted_on_its_way_to_an_untranslated_network(
    path: Path, seen: Callable[[], int]
) -> None:
    path.server.ip("address add 192.168.1.77/32 dev s0")
    with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("192.168.1.77", 0))
        opened.sendto(b"spoofed", (PUBLIC_HOST, PORT))
    assert seen() == 1


def test_iptables_lists_no_more_than_a_few_covering_networks(
    path: Path, whole: DiversionPlan, by_iptables: Diversion
) -> None:
    many = tuple(IPv4Network((0x0A000000 + 1024 * number, 24)) for number in range(1000))
    path.router.call(by_iptables.install, replace(whole, networks=(*whole.networks, *many)))
    assert path.router.call(by_iptables.present)
    assert len([line for line in saved(path) if " -d 10." in line]) <= 32
    path.server.ip(f"route add 10.0.0.0/8 via {EXTERNAL}")
    with KernelQueue(path.router, QUEUE).open() as queue:
        for network in (many[0], many[500], many[-1]):
            udp(path.server, str(network[7]), OWN_PORT)
            packet = queue.receive()
            assert packet is not None
            assert packet.hook == PREROUTING


def test_nft_takes_thousands_of_networks_as_they_are(path: Path, whole: DiversionPlan) -> None:
    many = tuple(IPv4Network((0x0A000000 + 1024 * number, 24)) for number in range(4000))
    text = rules_table(replace(whole, networks=many)).anew().replace(DIVERT, "counter drop")
    path.router.run("nft", "-f", "-", input=text)
    assert _counters(path) == [0] * RULES


def test_another_bit_marks_the_second_pass(path: Path, whole: DiversionPlan, by_iptables: Diversion) -> None:
    marked = replace(whole, hairpinning=True, mark=0x10000)
    path.router.call(by_iptables.install, marked)
    assert any("--mark 0x10000/0x10000" in line for line in saved(path))
    assert "meta mark & 0x10000 == 0x10000" in rules_table(marked).anew()


@pytest.mark.parametrize("mark", [0, 3, 1 << 32])
def test_a_mark_that_is_not_one_bit_is_refused(plan: DiversionPlan, mark: int) -> None:
    with pytest.raises(DiversionUnavailable, match=r"nat\.mark"):
        replace(plan, mark=mark)

"""Beside the administrator's stateful firewall, which sees internal addresses in both directions."""

import socket

import pytest

from nfmasq.lab.clients import ask, download, ping, traceroute, upload
from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import CLIENT1, ISP, ROUTER_INTERNAL, SERVER1, SERVER2, Topology

FAR_MTU = 1400
LAB = {"far_mtu": FAR_MTU}

RULES = (
    "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
    "-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    "-A FORWARD -i lan0 -o wan0 -m conntrack --ctstate NEW -j ACCEPT",
    "-A FORWARD -j DROP",
)


@pytest.fixture(autouse=True, scope="module")
def _firewall(lab: Lab) -> None:
    for rule in RULES:
        lab.topology.router.run("iptables", *rule.split())


def _dropped_by_the_firewall(net: Topology) -> tuple[int, int]:
    """Packets that met the first and the last rule: INVALID, and neither answer nor from inside."""
    listed = net.router.run("iptables", "-L", "FORWARD", "-v", "-n", "-x").splitlines()[2:]
    return int(listed[0].split()[0]), int(listed[-1].split()[0])


def test_downloads_and_uploads_pass_and_nothing_is_invalid(net: Topology, lab: Lab) -> None:
    before = _dropped_by_the_firewall(net)
    assert download(net.client1, SERVER1).sha256 == lab.payload.sha256
    assert upload(net.client1, SERVER2, lab.payload).sha256 == lab.payload.sha256
    assert _dropped_by_the_firewall(net) == before


def test_answers_to_pings_and_datagrams_are_established(net: Topology) -> None:
    assert ping(net.client2, SERVER2, count=2).received == 2
    assert ask(net.client2, (SERVER1, 7), b"echo") == b"echo"


@pytest.mark.parametrize("kind", [(), ("-I", "-N", "1")], ids=["udp", "icmp"])
def test_a_hop_s_time_exceeded_is_related(net: Topology, kind: tuple[str, ...]) -> None:
    """ICMP one probe at a time: of several waiting in a queue together, conntrack confirms only the first."""
    assert traceroute(net.client1, SERVER2, *kind) == [str(ROUTER_INTERNAL), str(ISP), str(SERVER2)]


def test_fragmentation_needed_is_related(net: Topology) -> None:
    net.client1.ip("route flush cache")
    assert f"mtu = {FAR_MTU}" in ping(net.client1, SERVER2, "-M", "do", "-s", "1472", count=1).said


def test_what_nfmasq_s_filtering_lets_in_the_firewall_still_judges(net: Topology) -> None:
    """Same address, another port: address-dependent filtering lets it in; to the firewall it is new."""

    def listening() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(0.5)
        sock.bind((str(CLIENT1), 6000))
        return sock

    address, port, _ = ask(net.client1, (SERVER1, 53), b"who", source_port=6000).split()
    before = _dropped_by_the_firewall(net)[1]
    with net.client1.call(listening) as client:

        def knock() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind(("", 6001))
                sock.sendto(b"unasked", (address.decode(), int(port)))

        net.server1.call(knock)
        with pytest.raises(TimeoutError):
            client.recv(100)
    assert _dropped_by_the_firewall(net)[1] == before + 1

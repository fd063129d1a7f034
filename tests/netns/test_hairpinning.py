"""Internal hosts that reach each other by their external endpoints, alone and beside a stateful firewall.

The router would tell internal hosts of shorter ways (ICMP redirects) if nobody stopped it.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import IO

import pytest
from scapy.layers.inet import ICMP, IP

from nfmasq.lab.clients import Download, ask, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import Endpoint
from nfmasq.lab.programs import Servers
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import Wire

WHOLE = IPv4Address("203.0.113.3")
GIVEN = CLIENT2 + 1
"""An external address, and the internal one that it is given to: a second address of client2's."""
LAB = {
    "config": {"nat": {"addresses": [str(EXTERNAL), str(WHOLE)]}},
    "also_external": (WHOLE,),
}

WEB, BULK, CLOSED = 8080, 5201, 6999
FORWARDS = (
    {"protocol": "tcp", "external_address": str(EXTERNAL), "external_port": WEB, "to": f"{CLIENT2}:80"},
    {"protocol": "tcp", "external_address": str(EXTERNAL), "external_port": BULK, "to": str(CLIENT2)},
    {
        "protocol": "udp",
        "external_address": str(EXTERNAL),
        "external_port": f"{BULK}-{CLOSED}",
        "to": str(CLIENT2),
    },
    {"external_address": str(WHOLE), "to": str(GIVEN)},
)
FIREWALL = (
    "-m conntrack --ctstate INVALID -j DROP",
    "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
    "-i lan0 -m conntrack --ctstate NEW -j ACCEPT",
    "-j DROP",
)
REDIRECT, UNREACHABLE, PORT_UNREACHABLE = 5, 3, 3


@pytest.fixture(autouse=True, scope="module", params=["alone", "beside a stateful firewall"])
def _router(lab: Lab, request: pytest.FixtureRequest) -> Iterator[None]:
    router = lab.topology.router
    for interface in ("all", "lan0"):
        router.sysctl(f"ipv4/conf/{interface}/send_redirects", 1)
    assert lab.daemon is not None
    lab.daemon.cli("flush", "--all")
    rules = FIREWALL if request.param != "alone" else ()
    for rule in rules:
        router.run("iptables", "-A", "FORWARD", *rule.split())
    yield
    if rules:
        invalid = router.run("iptables", "-L", "FORWARD", "-v", "-n", "-x").splitlines()[2].split()[0]
        router.run("iptables", "-F", "FORWARD")
        assert invalid == "0", "conntrack did not understand what passed"


@pytest.fixture(autouse=True, scope="module")
def _forwards(lab: Lab) -> Iterator[None]:
    """The forwards, and on client2 the lab's servers."""
    assert lab.daemon is not None
    lab.topology.router.ip(f"address add {WHOLE}/32 dev wan0")
    lab.topology.client2.ip(f"address add {GIVEN}/24 dev eth0")
    added = [lab.daemon.api("/v1/forwards", "POST", forward) for forward in FORWARDS]
    with Servers([lab.topology.client2], lab.payload):
        yield
    for answer in added:
        lab.daemon.api(f"/v1/forwards/{answer['id']}", "DELETE")


@pytest.fixture(autouse=True)
def _no_internal_source_and_no_redirect(net: Topology) -> Iterator[None]:
    """A client gets nothing from the other client's own address, and no advice to pass the router by."""
    with Wire(net.client1, "eth0") as first, Wire(net.client2, "eth0") as second:
        yield
        for wire, own, other in ((first, CLIENT1, CLIENT2), (second, CLIENT2, CLIENT1)):
            arrived = [packet for packet in wire.seen() if packet[16:20] == own.packed]
            assert not [packet for packet in arrived if packet[12:16] == other.packed]
            assert not [p for p in arrived if p[9] == socket.IPPROTO_ICMP and p[20] == REDIRECT]


def _datagram_socket(host: Namespace, port: int) -> socket.socket:
    opened: socket.socket = host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("", port))
    opened.settimeout(3)
    return opened


def _appears_as(host: Namespace, port: int) -> Endpoint:
    """The external endpoint of a host's UDP port."""
    address, external, _ = ask(host, (SERVER1, 53), b"who", source_port=port).split()
    return IPv4Address(address.decode()), int(external)


def _send(sender: socket.socket, data: bytes, to: Endpoint) -> None:
    sender.sendto(data, (str(to[0]), to[1]))


def test_two_hosts_speak_by_their_external_endpoints_alone(net: Topology) -> None:
    """Each must speak first, as filtering is address-dependent; each sees the other's external endpoint."""
    one, other = _appears_as(net.client1, 5000), _appears_as(net.client2, 5001)
    with _datagram_socket(net.client1, 5000) as first, _datagram_socket(net.client2, 5001) as second:
        _send(first, b"filtered", other)
        _send(second, b"question", one)
        assert first.recvfrom(100) == (b"question", (str(other[0]), other[1]))
        _send(first, b"answer", other)
        assert second.recvfrom(100) == (b"answer", (str(one[0]), one[1]))


def test_a_host_reaches_itself(net: Topology) -> None:
    own = _appears_as(net.client1, 5002)
    with _datagram_socket(net.client1, 5002) as both:
        _send(both, b"to myself", own)
        assert both.recvfrom(100) == (b"to myself", (str(own[0]), own[1]))


def _fetched(client: Namespace, lab: Lab, port: int = WEB, address: IPv4Address = EXTERNAL) -> bool:
    return Download(client, address, port=port).wait().sha256 == lab.payload.sha256


def test_a_forwarded_web_server_is_reached_from_inside_by_curl(net: Topology, lab: Lab) -> None:
    assert _fetched(net.client1, lab)
    seen = net.client1.run("curl", "-sS", "--max-time", "10", f"http://{EXTERNAL}:{WEB}/seen").split()[0]
    assert seen == str(EXTERNAL)


def test_a_forwarded_web_server_reaches_itself(net: Topology, lab: Lab) -> None:
    assert _fetched(net.client2, lab)


def test_a_host_is_reached_by_the_address_it_was_given(net: Topology, lab: Lab) -> None:
    assert _fetched(net.client1, lab, 80, WHOLE)
    with Wire(net.client2, "eth0") as wire:
        assert ping(net.client1, WHOLE, count=3).received == 3
        requests = [p for p in wire.seen() if p[9] == socket.IPPROTO_ICMP and p[16:20] == GIVEN.packed]
    assert {packet[12:16] for packet in requests} == {EXTERNAL.packed}


def test_the_router_answers_pings_of_its_own_address_from_inside(net: Topology) -> None:
    assert ping(net.client1, EXTERNAL, count=2).received == 2


def test_datagrams_and_lines_pass_by_nc(net: Topology) -> None:
    for kind, port in (("-l", BULK), ("-ul", BULK + 1)):
        options = ["-u"] if "u" in kind else []
        with _listening(net.client2, kind, port) as listener:
            calling = net.client1.popen("nc", *options, str(EXTERNAL), str(port), stdin=-1, stdout=-3)
            assert calling.stdin is not None
            calling.stdin.write("a line\n")
            calling.stdin.flush()
            assert listener.readline() == "a line\n"
            calling.kill()
            calling.communicate()


@contextmanager
def _listening(host: Namespace, kind: str, port: int) -> Iterator[IO[str]]:
    listener = host.popen("nc", kind, str(port), stdout=-1, stdin=-1)
    transport = "udp" if "u" in kind else "tcp"
    wait_until(lambda: f":{port} " in host.run("ss", "-Hln", f"--{transport}"), "nc to listen")
    assert listener.stdout is not None
    try:
        yield listener.stdout
    finally:
        listener.kill()
        listener.communicate()


@pytest.mark.parametrize("reverse", [(), ("-R",)], ids=["there", "back"])
@pytest.mark.parametrize("kind", [(), ("-u", "-b", "40M", "-l", "1400")], ids=["tcp", "udp"])
def test_bulk_passes_with_segmentation_offload(
    net: Topology, daemon: DaemonUnderLab, kind: tuple[str, ...], reverse: tuple[str, ...]
) -> None:
    size = 100_000_000 if not kind else 4_000_000
    packets = _hairpinned(daemon)
    server = net.client2.popen("iperf3", "-s", "-1", "-p", str(BULK), stdout=-3, stderr=-3)
    try:
        wait_until(lambda: f":{BULK} " in net.client2.run("ss", "-Hltn"), "iperf3 to listen")
        said = net.client1.run(
            *("iperf3", "-J", "-c", str(EXTERNAL), "-p", str(BULK), "-n", str(size), *kind, *reverse)
        )
    finally:
        server.kill()
        server.wait()
    end = json.loads(said)["end"]
    if kind:
        assert end["sum"]["packets"] * 1400 >= size
        assert end["sum"]["lost_percent"] < 50, "more than a busy machine loses"
    else:
        assert end["sum_received"]["bytes"] >= size * 0.9
        assert _hairpinned(daemon) - packets < size / 1500 / 2, "super-packets were cut up on the way"


def _hairpinned(daemon: DaemonUnderLab) -> float:
    """TCP packets turned back so far."""
    return daemon.metrics()['nfmasq_packets_total{direction="hairpin",protocol="tcp"}']


def test_a_closed_port_s_refusal_comes_back_by_the_external_endpoint(net: Topology) -> None:
    with Wire(net.client1, "eth0") as wire, _datagram_socket(net.client1, 5003) as asking:
        asking.connect((str(EXTERNAL), CLOSED))
        asking.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            asking.recv(100)
        error = IP(wire.expect(lambda packet: packet[9] == socket.IPPROTO_ICMP))
    quoted = error[ICMP].payload
    assert (error[ICMP].type, error[ICMP].code) == (UNREACHABLE, PORT_UNREACHABLE)
    assert (error.src, error.dst) == (str(EXTERNAL), str(CLIENT1))
    assert (quoted.src, quoted.sport, quoted.dst, quoted.dport) == (str(CLIENT1), 5003, str(EXTERNAL), CLOSED)
    for layer in (error, error[ICMP], quoted):
        right = layer.copy()
        del right.chksum
        assert type(layer)(bytes(right)).chksum == layer.chksum, f"checksum of {layer.name}"

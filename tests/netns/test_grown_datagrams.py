"""Datagrams that a helper makes longer than the path takes: they leave in fragments, and arrive whole."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from support.others import install
from support.packets import UDP

from nfmasq.lab.lab import Lab
from nfmasq.lab.packets import ip_sum_is_right, transport_sum_is_right
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.wire import Wire

PORT = 7500
GROW = """
from nfmasq.helpers.kit.base import Mentioned, Named, Reading, Side


class Grow:
    name = "grow"
    transport = "udp"
    ports = (7500,)
    enabled_by_default = False
    about = "A helper that writes much for little"

    def begin(self, session):
        self.session = session
        return self

    def read(self, side, data):
        at, session = data.find(b"NAME"), self.session
        if at < 0:
            return Reading(len(data))
        write = lambda address, port: b"%s:%d" % (str(address).encode().rjust(300), port)
        if side is Side.INSIDE:
            return Reading(len(data), [Named(at, at + 4, session.internal[0], write)])
        return Reading(len(data), [Mentioned(at, at + 4, session.external[1], write)])
"""
DONT_FRAGMENT = {"the kernel's choice": None, "always": 2, "never": 0}
"""IP_MTU_DISCOVER of the sender."""
SOL_UDP, UDP_SEGMENT = 17, 103


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose daemon has the helper; the cable to server2 is narrower."""
    where = tmp_path_factory.mktemp("packages")
    install(where, "grow", GROW, "Grow")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(where))
        config: dict[str, Any] = {
            "helpers": {"grow": True},
            "forward": [{"protocol": "udp", "external_port": PORT, "to": f"{CLIENT2}:{PORT}"}],
        }
        with Lab(config=config, far_mtu=1280) as made:
            yield made


@pytest.mark.parametrize("discover", DONT_FRAGMENT.values(), ids=DONT_FRAGMENT)
@pytest.mark.parametrize("size", [100, 1000, 1180, 1472, 4000])
@pytest.mark.parametrize("server", [SERVER1, SERVER2], ids=["near", "behind a narrow cable"])
def test_they_arrive_both_ways(
    net: Topology, daemon: DaemonUnderLab, server: object, size: int, discover: int | None
) -> None:
    if size > 1252 and server == SERVER2 and discover != 0:
        pytest.skip("what is too long before it grows is the sender's affair (RFC 1191)")
    if size > 1472 and discover == 2:
        pytest.skip("no sender sends a datagram that its own cable does not take, and forbids to cut it up")
    there = net.server1 if server == SERVER1 else net.server2
    asked = there.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    asking = net.client1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    before = daemon.drops()
    with asked, asking:
        for each in (asked, asking):
            each.settimeout(10)
            if discover is not None:
                each.setsockopt(socket.IPPROTO_IP, 10, discover)
        asked.bind(("", PORT))
        said = b"NAME".ljust(size, b".")
        asking.sendto(said, (str(server), PORT))
        heard, source = asked.recvfrom(9000)
        assert heard == f"{EXTERNAL}:0".rjust(302).encode() + said[4:]
        asked.sendto(said, source)
        heard, _ = asking.recvfrom(9000)
        port = asking.getsockname()[1]
        assert heard == b"%s:%d" % (str(CLIENT1).encode().rjust(300), port) + said[4:]
    assert daemon.drops() == before


def fragments(wire: Wire, source: IPv4Address) -> list[bytes]:
    """The fragments of the next datagram that passes from there, in order; its UDP port is PORT."""
    parts: dict[int, bytes] = {}
    last = None
    while last is None or sum(len(part) - 20 for part in parts.values()) < last:
        part = wire.expect(lambda packet: packet[9] == UDP and packet[12:16] == source.packed)
        place = int.from_bytes(part[6:8])
        parts[place % 0x2000 * 8] = part[: int.from_bytes(part[2:4])]
        if not place & 0x2000:
            last = place % 0x2000 * 8 + int.from_bytes(part[2:4]) - 20
    return [parts[at] for at in sorted(parts)]


@pytest.mark.parametrize("way", ["outwards", "inwards", "hairpinned"])
def test_each_fragment_is_right_in_itself(net: Topology, daemon: DaemonUnderLab, way: str) -> None:
    """None is longer than the cable, all have one identification, and checksums are right on the wire."""
    outwards = way == "outwards"
    asked = (net.client2 if way == "hairpinned" else net.server1).call(udp_socket)
    asking = net.client1.call(udp_socket)
    near = Wire(net.client2 if way == "hairpinned" else net.client1, "eth0")
    before = daemon.drops()
    with Wire(net.wan, "router") as wan, near, asked, asking:
        asked.bind(("", PORT))
        asking.sendto(b"NAME" + bytes(1400), (str(EXTERNAL if way == "hairpinned" else SERVER1), PORT))
        _, source = asked.recvfrom(9000)
        if way == "inwards":
            asked.sendto(b"NAME" + bytes(1400), source)
        parts = fragments(wan if outwards else near, SERVER1 if way == "inwards" else EXTERNAL)
        assert len(parts) == 2
        assert max(map(len, parts)) <= 1500
        assert all(ip_sum_is_right(part) for part in parts)
        assert len({part[4:6] for part in parts}) == 1
        payload = b"".join(part[20:] for part in parts)
        whole = bytearray(parts[0][:20] + payload)
        whole[2:4], whole[6:8] = len(whole).to_bytes(2), b"\0\0"
        assert whole[26:28] != b"\0\0", "a checksum of 0 is none"
        assert transport_sum_is_right(bytes(whole))
    assert daemon.drops() == before


def udp_socket() -> socket.socket:
    """A socket that never waits for ever, and whose datagrams may not be cut up by others."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.setsockopt(socket.IPPROTO_IP, 10, 2)
    return made


@pytest.mark.parametrize("way", ["outwards", "inwards", "hairpinned"])
def test_a_train_of_datagrams_is_read_one_by_one(net: Topology, daemon: DaemonUnderLab, way: str) -> None:
    """A sender hands the kernel several datagrams at once (UDP GSO); each of them grows."""
    asked = (net.client2 if way == "hairpinned" else net.server1).call(udp_socket)
    asking = net.client1.call(udp_socket)
    to = EXTERNAL if way == "hairpinned" else SERVER1
    before = daemon.drops()
    with asked, asking:
        asked.bind(("", PORT))
        asking.sendto(b"hello", (str(to), PORT))
        _, source = asked.recvfrom(9000)
        sender, receiver = (asked, asking) if way == "inwards" else (asking, asked)
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, 1000)
        train = [(b"NAME %d " % nth).ljust(1000 - 100 * (nth == 4), b".") for nth in range(5)]
        sender.sendto(b"".join(train), source if way == "inwards" else (str(to), PORT))
        heard = [receiver.recv(9000) for _ in train]
        assert [each[-len(part) + 4 :] for each, part in zip(heard, train, strict=True)] == [
            part[4:] for part in train
        ]
        assert min(map(len, heard)) > 1100
    assert daemon.drops() == before

"""Datagrams that a helper makes longer than the path takes: they leave in fragments, and arrive whole."""

import socket
from collections.abc import Iterator

import pytest
from support.others import install

from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, SERVER2, Topology

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


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose daemon has the helper; the cable to server2 is narrower."""
    where = tmp_path_factory.mktemp("packages")
    install(where, "grow", GROW, "Grow")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(where))
        with Lab(config={"helpers": {"grow": True}}, far_mtu=1280) as made:
            yield made


@pytest.mark.parametrize("discover", DONT_FRAGMENT.values(), ids=DONT_FRAGMENT)
@pytest.mark.parametrize("size", [100, 1000, 1180, 1472])
@pytest.mark.parametrize("server", [SERVER1, SERVER2], ids=["near", "behind a narrow cable"])
def test_they_arrive_both_ways(
    net: Topology, daemon: DaemonUnderLab, server: object, size: int, discover: int | None
) -> None:
    if size > 1252 and server == SERVER2 and discover != 0:
        pytest.skip("what is too long before it grows is the sender's affair (RFC 1191)")
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

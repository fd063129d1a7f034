"""The external interface goes and comes back under its name, another one to the kernel, as with PPP."""

import socket
from collections.abc import Iterator

import pytest

from nfmasq.lab.clients import Download, ask, ping
from nfmasq.lab.namespace import join
from nfmasq.lab.payload import Payload
from nfmasq.lab.programs import Servers
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.topology import CLIENT2, EXTERNAL, INTERNAL, ISP, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

WITHIN_S = 1.0
WEB = 8080


@pytest.fixture
def net() -> Iterator[Topology]:
    """A network of this test alone: it takes the router's cable out."""
    with Topology() as made:
        yield made


@pytest.fixture
def payload(net: Topology) -> Iterator[Payload]:
    """What the servers serve, and client2."""
    with Payload() as made, Servers((net.server1, net.server2, net.client2), made):
        yield made


def _take_out(net: Topology) -> None:
    net.router.ip("link del wan0")


def _put_in(net: Topology) -> None:
    join(net.wan, "router", net.router, "wan0")
    net.wan.ip("link set router master switch")
    net.router.ip(f"address add {EXTERNAL}/24 dev wan0", f"route add default via {ISP}")


def test_everything_goes_on_within_a_second(net: Topology, payload: Payload) -> None:
    with DaemonUnderLab(net) as daemon:
        daemon.api("/v1/forwards", "POST", {"protocol": "tcp", "external_port": WEB, "to": f"{CLIENT2}:80"})
        mapped = ask(net.client1, (SERVER1, 53), b"", source_port=5500)
        index: int = net.router.call(socket.if_nametoindex, "wan0")
        running = Download(net.client1, SERVER1, "--limit-rate", "25M")
        try:
            wait_until(lambda: running.received > 1_000_000, "the download to be under way", patience=20)
            _take_out(net)
            _state(daemon, "interface wan0 does not exist")
            _put_in(net)
            assert net.router.call(socket.if_nametoindex, "wan0") != index, "it is the same to the kernel"
            with Sentinel(net.wan, "router", INTERNAL, [EXTERNAL]) as sentinel:
                assert _state(daemon) < WITHIN_S
                assert ask(net.client1, (SERVER1, 53), b"", source_port=5500) == mapped, "another mapping"
                assert ping(net.client2, SERVER2, count=1).received == 1
                assert Download(net.client1, EXTERNAL, port=WEB).wait().sha256 == payload.sha256
                assert Download(net.server1, EXTERNAL, port=WEB).wait().sha256 == payload.sha256
                assert running.wait().sha256 == payload.sha256
                assert sentinel.leaks == []
        finally:
            running.close()


def _state(daemon: DaemonUnderLab, problem: str = "") -> float:
    """Wait until this is the daemon's problem, or it has none; return the seconds it took."""

    def so() -> bool:
        reasons = "; ".join(daemon.api("/v1/status")["reasons"])
        return problem in reasons if problem else not reasons

    return wait_until(so, problem or "all to be well")

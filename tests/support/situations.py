"""Situations of real routers: what a test lays beside the router, and what hosts see then.

ROUTER=kernel in the environment has the kernel's MASQUERADE translate: a situation that fails then is wrong.
`nfmasq_only` says which tests the kernel cannot pass, and why.
"""

import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from ipaddress import IPv4Address, IPv4Interface

import pytest

from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import Endpoint
from nfmasq.lab.probes import KINDS, address_seen
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import EXTERNAL, ISP_FAR, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

BY_KERNEL = os.environ.get("ROUTER") == "kernel"

REQUEST = b"GET /seen HTTP/1.1\r\nHost: lab\r\n\r\n"
ANSWER = re.compile(rb"\r\n\r\n([\d.]+) (\d+)$")


def nfmasq_only(why: str) -> pytest.MarkDecorator:
    """A test of what the kernel's MASQUERADE does not do."""
    return pytest.mark.skipif(BY_KERNEL, reason=why)


def daemon_of(lab: Lab) -> DaemonUnderLab:
    """nfmasq on the router, where it must be there."""
    assert lab.daemon is not None
    return lab.daemon


def problems(lab: Lab) -> str:
    """The status's problems, one after the other."""
    status = daemon_of(lab).api("/v1/status")
    return "; ".join(
        map(str, (*status.get("problems", ()), *status.get("reasons", ()), *status.get("warnings", ())))
    )


def assert_served(lab: Lab, address: IPv4Address = EXTERNAL, *clients: Namespace) -> None:
    """Hosts get answers from both servers, by UDP and TCP, and are seen as this address."""
    net = lab.topology
    seen = {
        (client.role, str(server), kind): address_seen(client, server, kind)
        for client in clients or (net.client1, net.client2)
        for server in (SERVER1, SERVER2)
        for kind in KINDS
    }
    assert seen == dict.fromkeys(seen, str(address))


def until_seen_as(
    client: Namespace,
    address: IPv4Address,
    patience: float = 2,
    source: IPv4Address | str = "",
    each: float = 0.2,
) -> float:
    """The seconds until server2 sees a host as this address; `each` question waits so long for its answer."""
    return wait_until(
        lambda: address_seen(client, SERVER2, source=source, patience=each) == str(address),
        f"{client.role} to be seen as {address}",
        patience,
    )


def have_addresses(host: Namespace, addresses: Sequence[IPv4Address | str], length: int = 24) -> None:
    """Further addresses of a host on the LAN."""
    host.ip(*(f"address add {address}/{length} dev eth0" for address in addresses))


def renumber_uplink(net: Topology, own: IPv4Interface, gateway: IPv4Address) -> None:
    """Another network between router and isp; the servers reach it by isp."""
    lone = own.network.prefixlen == 32
    net.router.ip(
        "address flush dev wan0",
        f"address add {own} dev wan0",
        *([f"route add {gateway} dev wan0"] if lone else []),
        f"route replace default via {gateway} dev wan0",
    )
    net.isp.ip(
        f"address add {gateway}/{own.network.prefixlen} dev near",
        *([f"route add {own.ip} dev near src {gateway}"] if lone else []),
    )
    net.server1.ip(f"route add {own.network} via {net.isp_address}")
    net.server2.ip(f"route add {own.network} via {ISP_FAR}")


def rename(router: Namespace, old: str, new: str) -> None:
    """Another name for an interface that is up. Before Linux 6.2 no kernel gives it: the test is skipped."""
    try:
        router.ip(f"link set {old} name {new}")
    except RuntimeError as error:
        if "busy" not in str(error):
            raise
        pytest.skip("this kernel renames no interface that is up")


@contextmanager
def pinging(net: Topology) -> Iterator[None]:
    """Five hundred packets a second from inside meanwhile."""
    flood = net.client2.popen("ping", "-q", "-n", "-i", "0.002", str(SERVER2), stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        flood.send_signal(signal.SIGINT)
        flood.wait()


def change_address(net: Topology, old: IPv4Address, new: IPv4Address) -> None:
    """The provider gives the router another address of the same network."""
    net.router.ip(
        f"address del {old}/24 dev wan0",
        f"address add {new}/24 dev wan0",
        f"route replace default via {net.isp_address} dev wan0",
    )
    for neighbour, device in ((net.isp, "near"), (net.server1, "eth0")):
        neighbour.ip(f"neighbour flush dev {device}")


class Call(AbstractContextManager["Call"]):
    """A TCP connection to a server of the lab that stays open."""

    def __init__(self, client: Namespace, server: IPv4Address, port: int = 80) -> None:
        self._socket: socket.socket = client.call(socket.create_connection, (str(server), port), 3)

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def seen_as(self, patience: float = 2) -> Endpoint | None:
        """The client's endpoint as the server sees it now; None when no answer comes."""
        self._socket.settimeout(patience)
        try:
            self._socket.sendall(REQUEST)
            return self.late_answer(patience)
        except OSError:
            return None

    def late_answer(self, patience: float) -> Endpoint | None:
        """The answer to a question that was asked before."""
        self._socket.settimeout(patience)
        answer = b""
        try:
            while not (found := ANSWER.search(answer)):
                part = self._socket.recv(4096)
                if not part:
                    return None
                answer += part
        except OSError:
            return None
        return IPv4Address(found[1].decode()), int(found[2])

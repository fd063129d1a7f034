"""What docs/comparison.md says of nfmasq and of the kernel's MASQUERADE, measured in the lab."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import SERVER1, SERVER2, Masquerade

SERVICE, OTHER_SERVICE = 9999, 9998

Endpoint = tuple[str, int]


@pytest.fixture(scope="module", params=["none", "kernel"])
def lab(as_root: None, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab with nfmasq on the router, and with MASQUERADE."""
    masquerade: Masquerade = request.param
    with Lab(masquerade=masquerade) as made:
        yield made


@pytest.fixture
def ends(lab: Lab) -> Iterator["Ends"]:
    """The sockets of a test, closed after it."""
    with ExitStack() as stack:
        yield Ends(lab, stack)


class Ends:
    """Sockets on the hosts of a lab."""

    def __init__(self, lab: Lab, stack: ExitStack) -> None:
        self.net = lab.topology
        self.nfmasq = lab.daemon is not None
        self._stack = stack

    def at(self, host: Namespace, port: int = 0) -> socket.socket:
        """A UDP socket."""
        made: socket.socket = host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        self._stack.enter_context(made)
        made.bind(("0.0.0.0", port))
        made.settimeout(0.5)
        return made


def source(receiver: socket.socket) -> Endpoint | None:
    """Whom the next datagram is from, or None if none comes."""
    try:
        endpoint: Endpoint = receiver.recvfrom(100)[1]
    except TimeoutError:
        return None
    return endpoint


def seen_from(client: socket.socket, server: socket.socket, address: object, port: int = SERVICE) -> Endpoint:
    """The external endpoint a server sees."""
    client.sendto(b"to you", (str(address), port))
    endpoint = source(server)
    assert endpoint is not None
    return endpoint


def test_two_servers_see_the_same_external_port(ends: Ends) -> None:
    client = ends.at(ends.net.client1)
    one, other = ends.at(ends.net.server1, SERVICE), ends.at(ends.net.server2, SERVICE)
    assert seen_from(client, one, SERVER1) == seen_from(client, other, SERVER2)


def test_a_packet_that_came_too_early_changes_the_port_of_masquerade_alone(ends: Ends) -> None:
    client = ends.at(ends.net.client1)
    server, early = ends.at(ends.net.server1, SERVICE), ends.at(ends.net.server2, SERVICE)
    external = seen_from(client, server, SERVER1)
    early.sendto(b"too early", external)
    assert source(client) is None
    assert (seen_from(client, early, SERVER2) == external) == ends.nfmasq


def test_an_answer_from_another_port_of_the_server_arrives_by_nfmasq_alone(ends: Ends) -> None:
    client = ends.at(ends.net.client1)
    server, other = ends.at(ends.net.server1, SERVICE), ends.at(ends.net.server1, OTHER_SERVICE)
    other.sendto(b"from another port", seen_from(client, server, SERVER1))
    assert (source(client) == (str(SERVER1), OTHER_SERVICE)) == ends.nfmasq


def test_clients_reach_each_other_by_external_endpoints_by_nfmasq_alone(ends: Ends) -> None:
    one, other = ends.at(ends.net.client1), ends.at(ends.net.client2)
    server = ends.at(ends.net.server1, SERVICE)
    external, other_external = seen_from(one, server, SERVER1), seen_from(other, server, SERVER1)
    one.sendto(b"both send", other_external)
    source(other)
    other.sendto(b"both send", external)
    assert (source(one) == other_external) == ends.nfmasq

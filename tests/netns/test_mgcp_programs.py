"""MGCP end to end: osmo-mgw inside, a scripted call agent outside, and telephones that speak by it."""

import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from netns.mgcp_programs import AGENT_PORT, GATEWAY_PORT, Agent, gateway
from netns.scripted import datagrams
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

SECOND = 2428
"""The external port of the second gateway."""
LAB = {
    "config": {
        "helpers": {"mgcp": True},
        "network": [{"cidr": "192.168.1.0/24", "filtering": "address-and-port-dependent"}],
        "forward": [
            {"protocol": "udp", "external_port": GATEWAY_PORT, "to": f"{CLIENT1}:{GATEWAY_PORT}"},
            {"protocol": "udp", "external_port": SECOND, "to": f"{CLIENT2}:{GATEWAY_PORT}"},
        ],
    }
}
ANY = "rtpbridge/*@mgw"


@pytest.fixture(autouse=True)
def _gateways(net: Topology) -> Iterator[None]:
    with gateway(net.client1, CLIENT1), gateway(net.client2, CLIENT2):
        yield


def rtp(sequence: int) -> bytes:
    """A packet of sound."""
    return struct.pack("!BBHII", 0x80, 8, sequence, 160 * sequence, 0xABCD) + bytes([sequence]) * 160


def sounds(data: bytes) -> bytes:
    """What is heard in a packet."""
    return data[12:]


def wait_until_heard(telephone: socket.socket, packet: bytes) -> None:
    """Read what comes to a telephone until it has this packet's sound."""
    wait_until(lambda: sounds(telephone.recv(2000)) == sounds(packet), "a telephone to hear")


def test_two_telephones_outside_hear_each_other_by_each_of_two_gateways(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    """Both gateways have the same ports; a restart amid a call is not heard."""
    with ExitStack() as stack:
        calls = []
        for nth, external in enumerate((GATEWAY_PORT, SECOND)):
            link = stack.enter_context(closing(datagrams(net.server1, AGENT_PORT + nth)))
            agent = Agent(link, (EXTERNAL, external))
            one = stack.enter_context(closing(datagrams(net.server1, 30000 + nth)))
            other = stack.enter_context(closing(datagrams(net.server2, 30000 + nth)))
            endpoint, first, near = agent.connect(ANY, (SERVER1, 30000 + nth))
            _, second, far = agent.connect(endpoint, (SERVER2, 30000 + nth))
            assert {near[0], far[0]} == {str(EXTERNAL)}
            calls.append((agent, endpoint, (first, second), (one, near), (other, far)))
        assert len({each[1] for call in calls for each in call[3:]}) == 4
        for is_restarted in (False, True):
            if is_restarted:
                daemon.kill()
                daemon.start()
            for nth, (_, _, _, (one, near), (other, far)) in enumerate(calls):
                one.sendto(rtp(nth + 1), near)
                wait_until_heard(other, rtp(nth + 1))
                other.sendto(rtp(nth + 9), far)
                wait_until_heard(one, rtp(nth + 9))
        for agent, endpoint, connections, *_ in calls:
            for identifier in connections:
                agent.ask("DLCX", endpoint, "C: 1234", f"I: {identifier}")


def test_a_deleted_connection_leaves_nothing_expected(net: Topology, daemon: DaemonUnderLab) -> None:
    """What the gateway has begun itself ends by its timer."""
    daemon.cli("flush", "--all")
    with closing(datagrams(net.server1, AGENT_PORT)) as link:
        agent = Agent(link, (EXTERNAL, GATEWAY_PORT))
        endpoint, identifier, _ = agent.connect(ANY, (SERVER2, 30010))

        def expected() -> int:
            rows = daemon.api("/v1/sessions?protocol=udp")["sessions"]
            return sum(row["state"] == "expected" for row in rows)

        assert expected() == 4, "RTP and RTCP, of the agent's host and of the one that it has named"
        agent.ask("DLCX", endpoint, "C: 1234", f"I: {identifier}")
        wait_until(lambda: not expected(), "its expectations to end")

"""SNMP end to end: an agent inside that is walked from outside, and one that sends traps and informs."""

from collections.abc import Iterator

import pytest

from netns.unpacked import directory, listens, running, script
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until

LAB = {
    "config": {
        "helpers": {"snmp": True},
        "forward": [{"protocol": "udp", "external_port": 161, "to": f"{CLIENT2}:161"}],
    }
}
ADDRESSES = ".1.3.6.1.2.1.4.20.1.1"
NOTE = ".1.3.6.1.4.1.8072.2.3"


@pytest.fixture(scope="module")
def agent(lab: Lab) -> Iterator[None]:
    """snmpd inside."""
    host = lab.topology.client2
    with directory() as place:
        (place / "conf").write_text("rocommunity public\n")
        with running(
            host, place, "exec snmpd -f -Lo -C -c conf udp:161",
            ready=lambda: listens(host, 161, "udp"), what="snmpd",
        ):  # fmt: skip
            yield


def tool(host: Namespace, command: str) -> str:
    """What one of the tools prints."""
    with directory() as place:
        return host.run(*script(place, "export MIBS=", command))


@pytest.mark.parametrize("walk", ["snmpwalk -v1", "snmpwalk -v2c", "snmpbulkwalk -v2c"])
def test_a_manager_outside_sees_the_external_address(net: Topology, agent: None, walk: str) -> None:
    """The index of the row stays the internal address: the basic helper of RFC 2962 writes values alone."""
    seen = tool(net.server1, f"{walk} -c public -On {EXTERNAL} {ADDRESSES}")
    assert f"{ADDRESSES}.{CLIENT2} = IpAddress: {EXTERNAL}" in seen
    assert f"IpAddress: {CLIENT2}" not in seen


def test_a_manager_inside_sees_the_internal_one(net: Topology, agent: None) -> None:
    assert f"IpAddress: {CLIENT2}" in tool(net.client1, f"snmpwalk -v2c -c public -On {CLIENT2} {ADDRESSES}")


@pytest.mark.parametrize(
    "sending",
    [
        f"snmptrap -v1 -c public {SERVER1} {NOTE} {CLIENT1} 6 17 '' {NOTE}.1 a {CLIENT1}",
        f"snmptrap -v2c -c public {SERVER1} '' {NOTE} {NOTE}.1 a {CLIENT1}",
        f"snmpinform -v2c -c public {SERVER1} '' {NOTE} {NOTE}.1 a {CLIENT1}",
    ],
    ids=["trap v1", "trap v2c", "inform"],
)
def test_traps_and_informs_name_the_external_address(net: Topology, sending: str) -> None:
    with directory() as place:
        (place / "conf").write_text("disableAuthorization yes\n")
        with running(
            net.server1, place, "export MIBS=", "exec snmptrapd -f -Lo -n -On -C -c conf udp:162",
            ready=lambda: listens(net.server1, 162, "udp"), what="snmptrapd",
        ):  # fmt: skip
            tool(net.client1, sending)
            wait_until(lambda: f"{NOTE}.1 =" in (place / "output").read_text(), "the trap to arrive", 20)
            noted = (place / "output").read_text()
    assert f"{NOTE}.1 = IpAddress: {EXTERNAL}" in noted
    assert str(CLIENT1) not in noted

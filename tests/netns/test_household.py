"""What the hosts behind the router do all day, with real programs."""

import pytest

from nfmasq.lab.clients import ask, seen_by, traceroute
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, ISP, ROUTER_INTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.tour import FAR_MTU, STEPS, Step, take

LAB = {"far_mtu": FAR_MTU}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title.replace(" ", "_"))
def test_the_tour_passes(lab: Lab, step: Step) -> None:
    outcome = take(step, lab)
    assert outcome.passed, outcome.said


def test_a_web_page_sees_the_external_address_and_a_port_of_the_range(net: Topology) -> None:
    address, port = seen_by(net.client1, SERVER1)
    assert address == EXTERNAL
    assert 1024 <= port <= 32767


def test_traceroute_by_tcp_shows_every_hop(net: Topology) -> None:
    hops = traceroute(net.client2, SERVER2, "-T", "-p", "80")
    assert hops == [str(ROUTER_INTERNAL), str(ISP), str(SERVER2)]


def test_one_internal_endpoint_appears_as_the_same_external_one_to_every_server(net: Topology) -> None:
    seen = {ask(net.client1, (server, 53), b"who", source_port=4000) for server in (SERVER1, SERVER2)}
    assert len(seen) == 1, "the mapping is not endpoint-independent (RFC 4787 REQ-1)"


def test_sessions_of_both_clients_are_listed_with_all_three_endpoints(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    for client, port in ((net.client1, 4001), (net.client2, 4001)):
        ask(client, (SERVER1, 53), b"who", source_port=port)
    rows = daemon.api("/v1/sessions?protocol=udp&port=4001")["sessions"]
    assert {row["internal"] for row in rows} == {f"{CLIENT1}:4001", f"{CLIENT2}:4001"}
    assert {row["remote"] for row in rows} == {f"{SERVER1}:53"}
    assert len({row["external"] for row in rows}) == 2


def test_the_command_line_shows_who_talks_to_whom(net: Topology, daemon: DaemonUnderLab) -> None:
    ask(net.client1, (SERVER2, 53), b"who", source_port=4002)
    assert f"{CLIENT1}:4002" in daemon.cli("sessions")
    assert f"{SERVER2}:53" in daemon.cli("sessions")

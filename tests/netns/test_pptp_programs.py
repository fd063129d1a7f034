"""PPTP end to end: pptpd and pptp-linux, their calls told apart by call ids."""

from collections.abc import Iterator

import pytest

from netns.pptp_programs import Ends, pptp, pptpd
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology
from nfmasq.lab.waiting import wait_until

LAB = {
    "config": {
        "helpers": {"pptp": True},
        "network": [
            {
                "cidr": "192.168.1.0/24",
                "mapping": "address-and-port-dependent",
                "filtering": "address-and-port-dependent",
            }
        ],
        "forward": [{"protocol": "tcp", "external_port": 1723, "to": f"{CLIENT2}:1723"}],
    }
}
KEY = 4711


@pytest.fixture
def server(net: Topology) -> Iterator[Ends]:
    """A server outside."""
    with pptpd(net.server1, SERVER1) as ends:
        yield ends


def speaks_with(own: Ends, other: Ends, times: int = 3) -> tuple[str, str] | None:
    """The two ends of a call that hear each other, and nobody else; None: they do not yet."""
    for name, heard in own.heard().items():
        assert len(heard) <= 1
        for peer, count in heard.items():
            back = other.heard().get(peer, {})
            assert set(back) <= {name}
            if count >= times and back.get(name, 0) >= times:
                return name, peer
    return None


def wait_for_call(own: Ends, other: Ends, times: int = 3) -> tuple[str, str]:
    wait_until(lambda: speaks_with(own, other, times), "the call to be heard at both ends", 30)
    found = speaks_with(own, other, times)
    assert found
    return found


def calls(daemon: DaemonUnderLab) -> list[dict[str, str]]:
    """The sessions of GRE that the daemon lists."""
    return [row for row in daemon.api("/v1/sessions?protocol=gre")["sessions"] if row["state"] != "expected"]


def goes_on(own: Ends, other: Ends, call: tuple[str, str]) -> None:
    """Wait until both ends have heard each other some more."""
    name, peer = call
    before = own.heard()[name][peer], other.heard()[peer][name]
    wait_until(
        lambda: own.heard()[name][peer] > before[0] + 3 and other.heard()[peer][name] > before[1] + 3,
        "the call to go on",
        30,
    )


def test_a_client_calls_a_server_outside(net: Topology, server: Ends, daemon: DaemonUnderLab) -> None:
    with pptp(net.client1, SERVER1, CLIENT1, KEY) as client:
        wait_for_call(client, server)
        by = {(row["internal"], row["external"]) for row in calls(daemon)}
        assert by == {(f"{CLIENT1}:{KEY}", f"{EXTERNAL}:{KEY}"), (f"{CLIENT1}:0", f"{EXTERNAL}:0")}


def test_two_clients_with_equal_call_ids_call_one_server(net: Topology, server: Ends) -> None:
    with pptp(net.client1, SERVER1, CLIENT1, KEY) as one, pptp(net.client2, SERVER1, CLIENT2, KEY) as two:
        peers = {wait_for_call(one, server)[1], wait_for_call(two, server)[1]}
        assert len(peers) == 2


def test_two_clients_with_the_call_id_0(net: Topology, server: Ends) -> None:
    with pptp(net.client1, SERVER1, CLIENT1, 0) as one, pptp(net.client2, SERVER1, CLIENT2, 0) as two:
        peers = {wait_for_call(one, server)[1], wait_for_call(two, server)[1]}
        assert len(peers) == 2


def test_a_client_outside_calls_a_server_inside(net: Topology) -> None:
    with pptpd(net.client2, CLIENT2) as inside, pptp(net.server1, EXTERNAL, SERVER1, KEY) as client:
        wait_for_call(client, inside)


def test_one_inside_calls_another_by_the_external_address(net: Topology) -> None:
    with pptpd(net.client2, CLIENT2) as inside, pptp(net.client1, EXTERNAL, CLIENT1, KEY) as client:
        wait_for_call(client, inside)


def test_calls_in_both_directions_between_the_same_hosts(net: Topology, server: Ends) -> None:
    """A host inside calls the server outside while that one calls it."""
    with (
        pptpd(net.client2, CLIENT2) as inside,
        pptp(net.server1, EXTERNAL, SERVER1, KEY) as inwards,
        pptp(net.client1, SERVER1, CLIENT1, KEY) as outwards,
    ):
        wait_for_call(outwards, server)
        wait_for_call(inwards, inside)


def test_calls_go_on_when_the_daemon_is_killed(net: Topology, server: Ends, daemon: DaemonUnderLab) -> None:
    with pptp(net.client1, SERVER1, CLIENT1, KEY) as one, pptp(net.client2, SERVER1, CLIENT2, KEY) as two:
        standing = [(client, wait_for_call(client, server)) for client in (one, two)]
        daemon.kill()
        daemon.start()
        for client, call in standing:
            goes_on(client, server, call)


def test_a_call_that_is_hung_up_leaves_nothing(net: Topology, server: Ends, daemon: DaemonUnderLab) -> None:
    daemon.cli("flush", "--all")
    with pptp(net.client1, SERVER1, CLIENT1, KEY) as one:
        wait_for_call(one, server)
        assert len(calls(daemon)) == 2
        one.hang_up()
        wait_until(lambda: not calls(daemon), "its sessions to end", 30)


STATEFUL = """
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state invalid drop
        ct state established,related accept
        iifname "lan0" accept
        ip daddr 192.168.1.0/24 ip protocol gre accept
    }
}
"""


def test_behind_a_stateful_firewall(net: Topology, server: Ends) -> None:
    """Conntrack takes each direction of a call for a connection of its own."""
    net.router.run("nft", "-f", "-", input=STATEFUL)
    try:
        with pptp(net.client1, SERVER1, CLIENT1, KEY) as one, pptp(net.client2, SERVER1, CLIENT2, KEY) as two:
            wait_for_call(one, server)
            wait_for_call(two, server)
    finally:
        net.router.run("nft", "delete", "table", "inet", "filter")

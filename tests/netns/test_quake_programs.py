"""Quake end to end: a game goes on at another port, in both directions; quakestat finds servers."""

from contextlib import ExitStack, closing

import pytest

from netns.ftp_servers import program
from netns.quake_server import CONNECT, PORT, accept, accepted, serving
from netns.scripted import datagrams
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, SERVER1, Topology

LAB = {
    "config": {
        "helpers": {"quake": True},
        "network": [
            {
                "cidr": "192.168.1.0/24",
                "mapping": "address-and-port-dependent",
                "filtering": "address-and-port-dependent",
            }
        ],
        "forward": [{"protocol": "udp", "external_port": PORT, "to": f"{CLIENT2}:{PORT}"}],
    }
}
OWN, GAME = 40001, 31000
"""The port from which every client asks, and the first one at which a game goes on."""


def test_two_clients_with_equal_ports_play_at_a_server_outside(net: Topology) -> None:
    """The server knows a player by the endpoint that asked, and speaks first."""
    with ExitStack() as stack:
        server = stack.enter_context(closing(datagrams(net.server1, PORT)))
        for nth, host in enumerate((net.client1, net.client2)):
            player = stack.enter_context(closing(datagrams(host, OWN)))
            game = stack.enter_context(closing(datagrams(net.server1, GAME + nth)))
            player.sendto(CONNECT, (str(SERVER1), PORT))
            asked, source = server.recvfrom(2000)
            assert asked == CONNECT
            server.sendto(accept(GAME + nth), source)
            assert player.recv(2000) == accept(GAME + nth)
            game.sendto(b"welcome %d" % nth, source)
            assert player.recvfrom(2000) == (b"welcome %d" % nth, (str(SERVER1), GAME + nth))
            player.sendto(b"I jump", (str(SERVER1), GAME + nth))
            assert game.recvfrom(2000) == (b"I jump", source)


def test_a_player_who_speaks_first_is_known_by_the_same_endpoint(net: Topology) -> None:
    with (
        closing(datagrams(net.server1, PORT)) as server,
        closing(datagrams(net.server1, GAME)) as game,
        closing(datagrams(net.client1, OWN + 1)) as player,
    ):
        player.sendto(CONNECT, (str(SERVER1), PORT))
        _, source = server.recvfrom(2000)
        server.sendto(accept(GAME), source)
        player.sendto(b"I jump", (str(SERVER1), accepted(player.recv(2000))))
        assert game.recvfrom(2000) == (b"I jump", source)


@pytest.mark.parametrize("at", [GAME, PORT], ids=["another port", "the same port"])
@pytest.mark.parametrize("restart", [False, True], ids=["", "restarted"])
def test_a_player_outside_plays_at_a_server_inside(
    net: Topology, daemon: DaemonUnderLab, at: int, restart: bool
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(closing(datagrams(net.client2, PORT)))
        game = server if at == PORT else stack.enter_context(closing(datagrams(net.client2, at)))
        player = stack.enter_context(closing(datagrams(net.server1, OWN + 2 + restart)))
        player.sendto(CONNECT, (str(EXTERNAL), PORT))
        _, source = server.recvfrom(2000)
        if restart:
            daemon.kill()
            daemon.start()
        server.sendto(accept(at), source)
        port = accepted(player.recv(2000))
        player.sendto(b"I jump", (str(EXTERNAL), port))
        assert game.recvfrom(2000) == (b"I jump", source)
        game.sendto(b"you fall", source)
        assert player.recvfrom(2000) == (b"you fall", (str(EXTERNAL), port))


def test_quakestat_reads_what_a_server_inside_says_of_itself(net: Topology, daemon: DaemonUnderLab) -> None:
    """It refuses an answer whose length contradicts it, and the endpoint in it has another length."""
    with serving(net.client2, CLIENT2) as asked:
        told = net.server1.run(program("quakestat"), "-P", "-R", "-qs", f"{EXTERNAL}:{PORT}", timeout=30)
    assert "the arena" in told
    assert "ann" in told
    assert {each[4] for each in asked} >= {2, 3, 4}
    metrics = daemon.metrics()
    assert metrics['nfmasq_helper_messages_total{helper="quake",result="rewritten"}'] > 0


def test_quakestat_finds_a_server_outside(net: Topology) -> None:
    with serving(net.server1, SERVER1):
        told = net.client1.run(program("quakestat"), "-P", "-R", "-qs", f"{SERVER1}:{PORT}", timeout=30)
    assert "the arena" in told

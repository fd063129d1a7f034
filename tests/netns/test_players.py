"""Players of sound and video end to end, by scripts at both ends: no program of these protocols is left."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from netns.scripted import PLAYERS, Player, connected, datagrams, whole
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, SERVER1, Topology

LAB = {
    "config": {
        "helpers": {each.helper: True for each in PLAYERS},
        "network": [
            {
                "cidr": "192.168.1.0/24",
                "mapping": "address-and-port-dependent",
                "filtering": "address-and-port-dependent",
            }
        ],
        "forward": [{"protocol": "tcp", "external_port": 7070, "to": f"{CLIENT2}:7070"}],
    }
}
OWN, MEDIA = 40001, 5004
"""Ports of every client: the one that it calls from, and the one at which it waits."""


@pytest.fixture(params=PLAYERS, ids=lambda each: each.helper)
def player(request: pytest.FixtureRequest) -> Player:
    """Each protocol."""
    each: Player = request.param
    return each


@pytest.fixture
def listening(net: Topology, player: Player) -> Iterator[socket.socket]:
    """A server outside."""
    with closing(net.server1.call(socket.create_server, ("", player.port))) as made:
        made.settimeout(20)
        yield made


def rewritten(daemon: DaemonUnderLab, player: Player) -> float:
    """How many messages the helper has rewritten; none has failed."""
    metrics, series = daemon.metrics(), 'nfmasq_helper_messages_total{{helper="{}",result="{}"}}'
    assert metrics[series.format(player.helper, "error")] == 0
    return metrics[series.format(player.helper, "rewritten")]


def test_two_clients_with_equal_ports_hear_each_their_own(
    net: Topology, player: Player, listening: socket.socket
) -> None:
    said = player.say(MEDIA)
    with ExitStack() as stack:
        told = {}
        for host in (net.client1, net.client2):
            waiting = stack.enter_context(closing(datagrams(host, MEDIA)))
            near, far = stack.enter_context(connected(host, OWN, (SERVER1, player.port), listening))
            near.sendall(said)
            text = whole(far, len(said))
            told[player.port_in(text)] = waiting
            assert text.replace(text[player.at], said[player.at]) == said
        assert len(told) == 2
        media = stack.enter_context(closing(datagrams(net.server1, 6000)))
        for nth, (port, waiting) in enumerate(told.items()):
            media.sendto(b"sound %d" % nth, (str(EXTERNAL), port))
            assert waiting.recv(100) == b"sound %d" % nth


def test_a_restart_between_the_request_and_its_answer_harms_nothing(
    net: Topology, daemon: DaemonUnderLab, player: Player, listening: socket.socket
) -> None:
    said = player.say(MEDIA)
    with (
        connected(net.client1, OWN, (SERVER1, player.port), listening) as (near, far),
        closing(datagrams(net.client1, MEDIA)) as waiting,
        closing(datagrams(net.server1, 6000)) as media,
    ):
        near.sendall(said)
        port = player.port_in(whole(far, len(said)))
        daemon.kill()
        daemon.start()
        media.sendto(b"sound", (str(EXTERNAL), port))
        assert waiting.recv(100) == b"sound"
        far.sendall(b"over")
        assert whole(near, 4) == b"over"


def test_a_page_in_a_browser_opens_nothing(
    net: Topology, daemon: DaemonUnderLab, player: Player, listening: socket.socket
) -> None:
    """NAT slipstreaming: what it posts reaches a segment of its own, which begins like the protocol."""
    said = player.say(MEDIA)
    before = rewritten(daemon, player)
    with connected(net.client1, OWN, (SERVER1, player.port), listening) as (near, far):
        post = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(said)
        near.sendall(post)
        assert whole(far, len(post)) == post
        near.sendall(said)
        assert whole(far, len(said)) == said
    assert rewritten(daemon, player) == before


def test_the_port_of_a_server_inside_for_what_is_sent_again(net: Topology) -> None:
    """RealAudio's robust mode: the player outside sends to the port that the server names."""
    with (
        closing(net.client2.call(socket.create_server, ("", 7070))) as inside,
        connected(net.server1, OWN, (EXTERNAL, 7070), inside) as (near, far),
        closing(datagrams(net.client2, 6002)) as waiting,
        closing(datagrams(net.server1, 6000)) as asking,
    ):
        near.sendall(b"PNA\0\x0a\0\7\0\2\x17\x70\0\0")
        assert whole(far, 13)[-4:-2] == (6000).to_bytes(2)
        far.sendall(b"PNA\0\x0a")
        far.sendall(b"\0\7\0\2" + (6002).to_bytes(2)[:1])
        far.sendall((6002).to_bytes(2)[1:] + b"\0\0")
        port = int.from_bytes(whole(near, 13)[-4:-2])
        asking.sendto(b"once more", (str(EXTERNAL), port))
        assert waiting.recv(100) == b"once more"

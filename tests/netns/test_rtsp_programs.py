"""RTSP end to end: real servers and clients, over UDP and over the connection itself, in both directions.

ffmpeg and GStreamer send a packet from each media port first, which opens a way in by itself. The router
drops these packets here, so that a helper that does nothing is seen to do nothing.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from netns.rtsp_programs import ffmpeg, gstreamer, gstreamer_server, perl_server, pushing
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1
from nfmasq.lab.waiting import wait_until

LAB = {
    "config": {
        "helpers": {"rtsp": {"enabled": True, "ports": [554, 5545, 8554]}},
        "forward": [{"protocol": "tcp", "external_port": 554, "to": f"{CLIENT1}:554"}],
    }
}
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])
OUTSIDE = f"rtsp://{SERVER1}/test"


def rewritten(daemon: DaemonUnderLab) -> float:
    """How many messages the helper has rewritten so far; none has failed."""
    metrics, series = daemon.metrics(), 'nfmasq_helper_messages_total{{helper="rtsp",result="{}"}}'
    assert metrics[series.format("refused")] == metrics[series.format("error")] == 0
    return metrics[series.format("rewritten")]


@contextmanager
def no_hole_punching(lab: Lab) -> Iterator[None]:
    """The router takes no UDP from the inside."""
    nft = lab.topology.router
    nft.run("nft", "add table netdev punching")
    nft.run("nft", "add chain netdev punching drops { type filter hook ingress device lan0 priority -500; }")
    nft.run("nft", "add rule netdev punching drops meta l4proto udp drop")
    try:
        yield
    finally:
        nft.run("nft", "delete table netdev punching")


@contextmanager
def every_hole_punch_refused(lab: Lab) -> Iterator[None]:
    """The server's host answers each datagram of a client by ICMP: no such port."""
    host = lab.topology.server1
    host.run("nft", "add table ip refusing")
    host.run("nft", "add chain ip refusing refusals { type filter hook input priority 0; }")
    host.run(
        "nft", "add rule ip refusing refusals meta l4proto udp counter reject with icmp type port-unreachable"
    )
    try:
        yield
        assert "packets 0 " not in host.run("nft", "list", "table", "ip", "refusing")
    finally:
        host.run("nft", "delete table ip refusing")


@TRANSPORTS
def test_internal_clients(lab: Lab, daemon: DaemonUnderLab, transport: str) -> None:
    """Two streams each; two clients of two programs and of one host after the other."""
    before = rewritten(daemon)
    with gstreamer_server(lab.topology.server1), no_hole_punching(lab), ThreadPoolExecutor(3) as pool:
        played = pool.submit(ffmpeg, lab.topology.client1, OUTSIDE, transport)
        other = pool.submit(ffmpeg, lab.topology.client2, OUTSIDE, transport)
        shown = pool.submit(gstreamer, lab.topology.client1, OUTSIDE, transport)
        assert set(played.result()) == set(other.result()) == {0, 1}
        assert shown.result() == ""
    assert (rewritten(daemon) - before > 0) == (transport == "udp")


def test_a_helper_that_does_nothing(lab: Lab, daemon: DaemonUnderLab) -> None:
    """What the other tests rely on: without the helper nothing comes in, and with it all."""
    with gstreamer_server(lab.topology.server1), no_hole_punching(lab):
        daemon.cli("helpers", "disable", "rtsp")
        try:
            assert ffmpeg(lab.topology.client1, OUTSIDE, "udp", patience_s=6) == {}
        finally:
            daemon.cli("helpers", "enable", "rtsp")
        assert set(ffmpeg(lab.topology.client1, OUTSIDE, "udp")) == {0, 1}


def test_a_refused_hole_punch_ends_nothing(lab: Lab) -> None:
    """A set-top box's provider refuses the packets that open the way; the pictures come nevertheless."""
    client = lab.topology.client1
    with gstreamer_server(lab.topology.server1), every_hole_punch_refused(lab):
        assert set(ffmpeg(client, OUTSIDE, "udp")) == {0, 1}
        assert gstreamer(client, OUTSIDE, "udp") == ""


@TRANSPORTS
def test_clients_of_an_internal_server(lab: Lab, daemon: DaemonUnderLab, transport: str) -> None:
    """The server's ports are written anew: one message for each stream."""
    before = rewritten(daemon)
    with gstreamer_server(lab.topology.client1):
        assert set(ffmpeg(lab.topology.server1, f"rtsp://{EXTERNAL}/test", transport)) == {0, 1}
        assert gstreamer(lab.topology.server1, f"rtsp://{EXTERNAL}/test", transport) == ""
    assert rewritten(daemon) - before == (4 if transport == "udp" else 0)


def test_an_internal_client_of_an_internal_server(lab: Lab) -> None:
    """By its external address."""
    with gstreamer_server(lab.topology.client1):
        assert set(ffmpeg(lab.topology.client2, f"rtsp://{EXTERNAL}/test", "udp")) == {0, 1}


def test_a_source_inside_is_recorded_outside_and_played_inside(lab: Lab) -> None:
    """RECORD: media go out to the ports that the server names. Players inside have theirs announced."""
    net = lab.topology
    with perl_server(net.server1, SERVER1), pushing(net.client1, f"rtsp://{SERVER1}:5545/live") as ended:
        wait_until(lambda: f":{554} " in net.server1.run("ss", "-Hltn"), "the server to serve", 10)
        url = f"rtsp://{SERVER1}/live"
        wait_until(lambda: set(ffmpeg(net.client2, url, "udp", patience_s=8)) == {0}, "sound to come", 30)
        assert ended() is None

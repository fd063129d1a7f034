"""Checksums come right whoever computes them: the sender's stack, nfmasq, or a (pretended) network card."""

from collections.abc import Iterator

import pytest

from nfmasq.lab.clients import ask, download, ping, upload
from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import SERVER1, SERVER2, Topology


@pytest.fixture(
    scope="module",
    params=[(False, True), (True, False), (False, False)],
    ids=["router", "ends", "everywhere"],
)
def without_offload(lab: Lab, request: pytest.FixtureRequest) -> Iterator[Topology]:
    """Transmit checksum offload off: on the router's interfaces, at the ends, everywhere."""
    net = lab.topology
    router, ends = request.param
    net.set_tx_offload(router, net.router)
    net.set_tx_offload(ends, *net.hosts)
    yield net
    net.set_tx_offload(True, net.router, *net.hosts)


def _bad_segments(net: Topology) -> int:
    """TCP, UDP and IP packets the ends threw away for their checksum."""
    bad = 0
    for host in net.hosts:
        shown = host.run("cat", "/proc/net/snmp").splitlines()
        for names, figures in zip(shown[::2], shown[1::2], strict=True):
            row = dict(zip(names.split(), figures.split(), strict=True))
            bad += int(row.get("InCsumErrors", 0))
    return bad


def test_downloads_and_uploads_are_whole(without_offload: Topology, lab: Lab) -> None:
    net = without_offload
    before = _bad_segments(net)
    assert download(net.client1, SERVER1).sha256 == lab.payload.sha256
    assert upload(net.client2, SERVER2, lab.payload).sha256 == lab.payload.sha256
    assert _bad_segments(net) == before


def test_datagrams_and_pings_are_answered(without_offload: Topology) -> None:
    net = without_offload
    before = _bad_segments(net)
    for size in (0, 1, 100, 1473, 9001):
        assert ask(net.client1, (SERVER2, 7), b"\xff" * size) == b"\xff" * size
    assert ping(net.client2, SERVER2, count=2).received == 2
    assert _bad_segments(net) == before

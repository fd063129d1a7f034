"""Who puts fragments together before a raw PREROUTING queue sees them, and who takes them apart again.

A rule counts as soon as it is loaded, in a chain that no rule jumps to as well.
"""

import pytest
from support.nfqueue import ACCEPT, KernelQueue
from support.path import EXTERNAL, QUEUE, Path
from support.wire import UDP, Wire, with_source

pytestmark = pytest.mark.root

DATAGRAM = b"x" * 4000
WHOLE = [4028]
FRAGMENTS = [1500, 1500, 1068]

XT_SOCKET = "iptables -t raw -N unused; iptables -t raw -A unused -p tcp -m socket --nowildcard -j RETURN"
XT_CONNTRACK = "iptables -N unused; iptables -A unused -m conntrack --ctstate NEW -j RETURN"
NFT = "nft -f - <<'END'\ntable ip test {{\n chain c {{\n {} \n}}\n}}\nEND"
NFT_SOCKET = NFT.format("type filter hook prerouting priority 0\n socket transparent { 0, 1 } return")
NFT_TPROXY = NFT.format("meta l4proto tcp tproxy to :1")
NFT_CT = NFT.format("ct state new return")


def _lengths_seen(path: Path, rules: str) -> list[int]:
    path.divert_on_arrival()
    if rules:
        path.router.run("sh", "-c", rules)
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        sender.send(DATAGRAM)
        sender.send(b"last")
        lengths: list[int] = []
        while packet := queue.receive():
            if packet.payload.endswith(b"last"):
                return lengths
            lengths.append(len(packet.payload))
    raise AssertionError("the last packet never came")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param("", FRAGMENTS, id="no rule: fragments"),
        pytest.param(XT_SOCKET, WHOLE, id="xt socket: whole"),
        pytest.param(XT_CONNTRACK, WHOLE, id="xt conntrack: whole"),
        pytest.param(NFT_CT, WHOLE, id="nft ct: whole"),
        pytest.param(NFT_TPROXY, WHOLE, id="nft tproxy: whole"),
        pytest.param(NFT_SOCKET, FRAGMENTS, id="nft socket: fragments"),
    ],
)
def test_defragmentation_is_switched_on_by_some_rules_alone(
    path: Path, rules: str, expected: list[int]
) -> None:
    assert _lengths_seen(path, rules) == expected


@pytest.mark.parametrize(
    "rules", [pytest.param(XT_SOCKET, id="xt socket"), pytest.param(NFT_TPROXY, id="tproxy")]
)
def test_defragmentation_can_be_had_without_connection_tracking(path: Path, rules: str) -> None:
    assert _lengths_seen(path, rules) == WHOLE
    assert path.router.run("cat", "/proc/net/nf_conntrack") == ""


def test_a_whole_datagram_leaves_the_router_in_fragments_again(path: Path) -> None:
    path.router.run("sh", "-c", XT_SOCKET)
    path.divert_outbound()
    with (
        path.sender() as sender,
        path.receiver() as receiver,
        Wire(path.server, "s0") as wire,
        KernelQueue(path.router, QUEUE).open() as queue,
    ):
        sender.send(DATAGRAM)
        packet = queue.receive()
        assert packet is not None
        queue.decide(packet, ACCEPT, with_source(packet.payload, EXTERNAL))
        fragments = wire.until(lambda seen: seen.is_fragment and len(seen.packet) == FRAGMENTS[-1])
        assert [len(seen.packet) for seen in fragments if seen.protocol == UDP] == FRAGMENTS
        assert {seen.source for seen in fragments} == {EXTERNAL}
        assert receiver.recv(5000) == DATAGRAM

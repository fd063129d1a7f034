"""Rules of others in the tables that we share hold for what we divert, whoever came first."""

import socket
from collections.abc import Iterator

import pytest
from support.nfqueue import ACCEPT, DROP, INPUT, PREROUTING, KernelQueue
from support.path import EXTERNAL, QUEUE, SERVER, Path

from diversion.rules import saved
from diversion.test_nftables import ASSIGNED, DIVERT, _counted, _met
from diversion.traffic import POOL_PORT, udp
from nfmasq.diversion import Diversion, DiversionPlan, guard
from nfmasq.diversion.nftables_rules import rules_table

pytestmark = pytest.mark.root

BLOCKED = "203.0.113.66"
NOTRACK = "-t raw -A PREROUTING -i wan0 -p udp -j CT --notrack"
NFT_RAW = """\
table inet others {{
	chain raw {{
		type filter hook prerouting priority {}; policy accept;
		iifname "wan0" {}
	}}
}}
"""


@pytest.fixture(params=["iptables", "iptables-legacy"])
def program(request: pytest.FixtureRequest) -> str:
    """Of either kind, so that one is in our own table and the other is not."""
    name: str = request.param
    return name


def _blocked(path: Path) -> None:
    """A datagram of a blocked host to a port of ours."""
    path.server.ip(f"address replace {BLOCKED}/24 dev s0")
    with path.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((BLOCKED, 0))
        opened.sendto(b"blocked", (EXTERNAL, POOL_PORT))


def _passing(queue: KernelQueue) -> Iterator[str]:
    """Sources of what the first look lets by and no rule of others stops before the second."""
    while packet := queue.receive(0.2):
        if packet.hook == INPUT:
            yield socket.inet_ntoa(packet.payload[12:16])
        queue.decide(packet, ACCEPT if packet.hook == PREROUTING else DROP)


def test_a_blocklist_that_came_first_holds(
    path: Path, diversion: Diversion, plan: DiversionPlan, program: str
) -> None:
    path.router.run(program, *f"-t raw -A PREROUTING -s {BLOCKED} -j DROP".split())
    path.router.call(diversion.install, plan)
    with KernelQueue(path.router, QUEUE).open() as queue:
        _blocked(path)
        udp(path.server, EXTERNAL, POOL_PORT)
        assert list(_passing(queue)) == [SERVER]


def test_a_rule_that_others_append_is_noticed_and_our_jump_moves_behind_it(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, plan)
    for rule in (
        f"raw -A PREROUTING -s {BLOCKED} -j DROP",
        "mangle -A INPUT -p udp -j TTL --ttl-set 9",
        "mangle -A POSTROUTING -o wan0 -j TTL --ttl-set 9",
    ):
        ours = _program_of_ours(path)
        path.router.run(ours, "-t", *rule.split())
        assert not path.router.call(diversion.present), rule
        path.router.call(diversion.install, plan)
        assert path.router.call(diversion.present), rule
    with KernelQueue(path.router, QUEUE).open() as queue:
        _blocked(path)
        udp(path.server, EXTERNAL, POOL_PORT)
        assert list(_passing(queue)) == [SERVER]


def test_what_only_ends_the_chain_may_stay_behind_ours(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, plan)
    path.router.run(_program_of_ours(path), *["-t", "raw", "-A", "PREROUTING", "-i", "wan0", "-j", "ACCEPT"])
    assert path.router.call(diversion.present)
    path.router.call(diversion.install, plan)
    assert path.router.call(diversion.present)
    with KernelQueue(path.router, QUEUE).open() as queue:
        udp(path.server, EXTERNAL, POOL_PORT)
        assert list(_passing(queue)) == [SERVER]


def test_the_guard_stays_behind_the_rules_whoever_is_laid_last(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.run(
        "iptables", *["-t", "mangle", "-A", "POSTROUTING", "-o", "wan0", "-j", "TTL", "--ttl-inc", "1"]
    )
    for install in (guard.install, diversion.install, guard.install):
        path.router.call(install, plan)
    assert path.router.call(diversion.present)
    assert path.router.call(guard.present)
    with path.sender() as sender, KernelQueue(path.router, QUEUE).open() as queue:
        sender.send(b"out")
        assert queue.receive()


def _program_of_ours(path: Path) -> str:
    """The kind of iptables in whose tables our rules lie."""
    lines = [line for line in saved(path) if "nfmasq-in" in line]
    if not lines:
        pytest.skip("rules by nft share no chain with those of others")
    return "iptables-legacy" if lines[0].startswith("iptables-legacy") else "iptables"


def test_notrack_of_others_holds_for_what_is_queued(
    path: Path, diversion: Diversion, plan: DiversionPlan, program: str
) -> None:
    path.router.call(diversion.install, plan)
    path.router.run(
        program, *["-t", "raw", "-A", "PREROUTING", "-i", "wan0", "-p", "udp", "-j", "CT", "--notrack"]
    )
    path.router.call(diversion.install, plan)
    path.router.run(
        "iptables",
        *["-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED,NEW", "-p", "udp", "-j", "ACCEPT"],
    )
    with KernelQueue(path.router, QUEUE).open() as queue:
        udp(path.server, EXTERNAL, POOL_PORT)
        packet = queue.receive()
        assert packet is not None
        assert packet.hook == PREROUTING
        queue.decide(packet, ACCEPT)
    assert path.router.run("cat", "/proc/net/nf_conntrack") == ""


@pytest.mark.parametrize("priority", ["raw", "-290", "raw + 50"])
def test_nft_rules_of_others_before_conntrack_come_before_ours(
    path: Path, plan: DiversionPlan, priority: str
) -> None:
    """At raw, and where firewalld has its own."""
    path.router.run("nft", "-f", "-", input=rules_table(plan).anew().replace(DIVERT, "counter drop"))
    path.router.run("nft", "-f", "-", input=NFT_RAW.format(priority, f"ip saddr {BLOCKED} drop"))
    _blocked(path)
    udp(path.server, EXTERNAL, POOL_PORT)
    assert _counted(path, _met({ASSIGNED: 1}))


def test_notrack_of_others_holds_for_what_nft_lets_by(path: Path, plan: DiversionPlan) -> None:
    path.router.run("nft", "-f", "-", input=rules_table(plan).anew().replace(DIVERT, "counter accept"))
    path.router.run("nft", "-f", "-", input=NFT_RAW.format("raw", "notrack"))
    path.iptables("-A INPUT -m conntrack --ctstate NEW -j ACCEPT")
    with path.router.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as local:
        local.bind(("", POOL_PORT))
        local.settimeout(5)
        udp(path.server, EXTERNAL, POOL_PORT, b"untracked")
        assert local.recv(100) == b"untracked"
    assert path.router.run("cat", "/proc/net/nf_conntrack") == ""

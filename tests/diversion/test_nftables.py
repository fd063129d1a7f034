"""The nft back end's rules, on a kernel that need not have nft's `queue` expression.

In place of `queue` they count and drop, so each packet that would be diverted shows in its rule's counter.
"""

import json
import socket
from dataclasses import replace

import pytest
from support.path import CLIENT, EXTERNAL, PORT, QUEUE, SERVER, Path
from support.paths import outside

from diversion.rules import listed
from diversion.traffic import (
    ECHO_REQUEST,
    GRE,
    ICMP,
    OWN_PORT,
    POOL_PORT,
    eventually,
    exchange_over_tcp,
    icmp,
    raw,
    udp,
)
from nfmasq.diversion import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.nftables import NftablesDiversion
from nfmasq.diversion.nftables_rules import rules_table

pytestmark = pytest.mark.root

DIVERT = f"queue num {QUEUE}"
RULES = 8
INTRUDER, ASSIGNED, PORTLESS, LATE_TCP, LATE_UDP, OUTBOUND, OWN_ERROR = 0, 2, 3, 4, 5, 6, 7
"""Of the rules, in their order; 1 is spoofed sources for untranslated networks."""


@pytest.fixture
def counting(path: Path, plan: DiversionPlan) -> Path:
    """The router with the rules in force, counting in place of diverting."""
    text = rules_table(plan).anew()
    assert text.count(DIVERT) == RULES
    path.router.run("nft", "-f", "-", input=text.replace(DIVERT, "counter drop"))
    return path


def _counters(path: Path) -> list[int]:
    """How many packets each diverting rule met, in the order of the rules."""
    listing = json.loads(path.router.run("nft", "-j", "list", "table", "ip", "nfmasq"))
    steps = [step for entry in listing["nftables"] for step in entry.get("rule", {}).get("expr", [])]
    return [step["counter"]["packets"] for step in steps if "counter" in step]


def _counted(path: Path, expected: list[int]) -> bool:
    return eventually(lambda: _counters(path) == expected)


def _met(counts: dict[int, int]) -> list[int]:
    return [counts.get(number, 0) for number in range(RULES)]


@pytest.mark.parametrize("queues", [(QUEUE, 1), (100, 2), (65535, 1)])
@pytest.mark.parametrize("empty", [False, True])
def test_the_kernel_takes_every_other_expression_of_the_rules(
    path: Path, plan: DiversionPlan, queues: tuple[int, int], empty: bool
) -> None:
    changed = replace(plan, queues=queues, internal=("lan0", "lan1.2"))
    if empty:
        changed = replace(changed, externals=outside(), networks=())
    first, count = queues
    divert = f"queue num {first}" if count == 1 else f"queue num {first}-{first + count - 1}"
    assert rules_table(changed).anew().count(divert) == RULES
    path.router.run("nft", "-c", "-f", "-", input=rules_table(changed).anew().replace(divert, "drop"))


def test_the_text_of_the_rules_is_good_whether_the_kernel_has_the_queue_expression_or_not(
    path: Path, plan: DiversionPlan
) -> None:
    for queues in ((QUEUE, 1), (100, 2)):
        told = path.router.run(
            "nft", "-c", "-f", "-", input=rules_table(replace(plan, queues=queues)).anew(), check=False
        )
        complaints = {line.partition("Error: ")[2] for line in told.splitlines() if "Error" in line}
        assert complaints <= {"Could not process rule: No such file or directory"}


def test_each_packet_to_divert_meets_its_rule(counting: Path) -> None:
    counting.server.ip(f"route add 192.168.1.0/24 via {EXTERNAL}")
    udp(counting.server, CLIENT, OWN_PORT)
    assert _counted(counting, _met({INTRUDER: 1}))
    udp(counting.server, EXTERNAL, POOL_PORT)
    assert _counted(counting, _met({INTRUDER: 1, ASSIGNED: 1}))
    raw(counting.server, ICMP, icmp(ECHO_REQUEST))
    raw(counting.server, GRE, b"\0" * 8)
    assert _counted(counting, _met({INTRUDER: 1, ASSIGNED: 1, PORTLESS: 2}))
    with counting.sender() as sender:
        sender.send(b"out")
    assert _counted(counting, _met({INTRUDER: 1, ASSIGNED: 1, PORTLESS: 2, OUTBOUND: 1}))
    udp(counting.server, EXTERNAL, OWN_PORT)  # nobody listens: the router answers with an ICMP error
    assert _counted(counting, _met({INTRUDER: 1, ASSIGNED: 1, PORTLESS: 2, OUTBOUND: 1, OWN_ERROR: 1}))


def test_a_local_listener_on_a_port_of_the_pool_is_reached(counting: Path) -> None:
    for address in ("0.0.0.0", EXTERNAL):
        exchange_over_tcp(counting, address)
    assert _counters(counting) == [0] * RULES


def test_packets_of_the_router_and_from_inside_for_the_router_are_left_alone(counting: Path) -> None:
    with counting.receiver() as receiver:
        udp(counting.router, SERVER, PORT, b"own")
        assert receiver.recv(100) == b"own"
    with counting.client.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, ICMP) as pinging:
        pinging.settimeout(5)
        pinging.sendto(icmp(ECHO_REQUEST), (EXTERNAL, 0))
        assert pinging.recv(100)[20] == 0
    assert _counters(counting) == [0] * RULES


def test_a_fragmented_datagram_meets_the_rule_once_and_whole(counting: Path) -> None:
    udp(counting.server, EXTERNAL, POOL_PORT, b"x" * 4000)
    assert _counted(counting, _met({ASSIGNED: 1}))


def test_connection_tracking_stays_off(counting: Path) -> None:
    udp(counting.router, SERVER, PORT)
    assert counting.router.run("cat", "/proc/net/nf_conntrack") == ""


def test_a_kernel_without_the_queue_expression_is_refused_by_its_name_and_nothing_is_left(
    path: Path, plan: DiversionPlan
) -> None:
    if (
        path.router.run(
            "nft", "-c", "-f", "-", input=f"table ip t {{\n chain c {{\n {DIVERT}\n }}\n}}\n", check=False
        )
        == ""
    ):
        pytest.skip("this kernel has nft's queue expression")
    assert "CONFIG_NFT_QUEUE" in path.router.call(NftablesDiversion.refusal)
    diversion = NftablesDiversion()
    with pytest.raises(DiversionUnavailable, match="nft did not take the rules"):
        path.router.call(diversion.install, plan)
    assert not path.router.call(diversion.present)
    assert listed(path) == ""


def test_an_internal_socket_of_the_client_is_no_local_socket(counting: Path) -> None:
    with counting.client.call(socket.create_server, (CLIENT, POOL_PORT)):
        udp(counting.server, EXTERNAL, POOL_PORT)
    assert _counted(counting, _met({ASSIGNED: 1}))

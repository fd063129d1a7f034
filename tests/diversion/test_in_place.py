"""Networks, addresses and ports change without the kernel's queue being emptied.

To replace a chain that has a hook, the kernel drops whatever waits in a queue, whosever packets they are.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from support.nfqueue import ACCEPT, KernelQueue
from support.path import EXTERNAL, QUEUE, Path
from support.paths import outside
from support.wire import with_source

from diversion.rules import listed
from nfmasq.core.policy import Forward, ForwardTarget
from nfmasq.diversion import DiversionPlan, guard
from nfmasq.diversion.nft_table import NftChain, NftTable
from nfmasq.diversion.nftables import LaidTable
from nfmasq.diversion.nftables_rules import rules_table

pytestmark = pytest.mark.root

TCP, HOST = 6, ForwardTarget(IPv4Address("192.168.1.2"))
MORE_NETWORKS = (IPv4Network("192.168.1.0/24"), IPv4Network("10.9.0.0/16"))
OTHER_ADDRESS = "198.51.100.77"


def _forward(first: int, last: int) -> Forward:
    return Forward(TCP, None, (first, last), (HOST,))


def _chains(path: Path, table: str) -> dict[str, int]:
    """The handle of each chain that has a hook: another one after it was made anew."""
    objects = json.loads(path.router.run("nft", "-a", "-j", "list", "table", "ip", table))["nftables"]
    chains = [each["chain"] for each in objects if "chain" in each]
    return {chain["name"]: chain["handle"] for chain in chains if "hook" in chain}


def _table_handle(path: Path, table: str) -> int:
    objects = json.loads(path.router.run("nft", "-a", "-j", "list", "table", "ip", table))["nftables"]
    handle: int = next(each["table"]["handle"] for each in objects if "table" in each)
    return handle


def _counting(plan: DiversionPlan) -> NftTable:
    """The nft rules, for a kernel that need not have nft's `queue` expression."""
    table = rules_table(plan)
    chains = (
        NftChain(
            chain.name,
            chain.hook,
            tuple(rule.replace(f"queue num {QUEUE}", "counter drop") for rule in chain.rules),
        )
        for chain in table.chains
    )
    return replace(table, chains=tuple(chains))


Change = Callable[[DiversionPlan], DiversionPlan]
SMALL: dict[str, Change] = {
    "another network": lambda plan: replace(plan, networks=MORE_NETWORKS),
    "a wider network": lambda plan: replace(plan, networks=(IPv4Network("192.168.0.0/16"),)),
    "another address": lambda plan: replace(plan, externals=outside(OTHER_ADDRESS)),
    "one address more": lambda plan: replace(plan, externals=outside(EXTERNAL, OTHER_ADDRESS)),
    "no network": lambda plan: replace(plan, networks=()),
    "an exempt destination": lambda plan: replace(plan, exempt=(IPv4Network("10.8.0.0/16"),)),
    "another forward": lambda plan: replace(plan, forwards=(_forward(80, 89), _forward(443, 443))),
}


@pytest.mark.parametrize("change", SMALL)
def test_a_change_of_elements_leaves_the_chains_of_the_rules_where_they_are(
    path: Path, plan: DiversionPlan, change: str
) -> None:
    before = replace(plan, forwards=(_forward(8080, 8080),))
    after = SMALL[change](before)
    laid = LaidTable()
    assert path.router.call(laid.lay, _counting(before)).good
    handles = _table_handle(path, "nfmasq"), _chains(path, "nfmasq")
    assert path.router.call(laid.lay, _counting(after)).good
    assert (_table_handle(path, "nfmasq"), _chains(path, "nfmasq")) == handles
    _is_as_if_laid_at_once(path, "nfmasq", _counting(after), laid.present)


@pytest.mark.parametrize("change", SMALL)
def test_a_change_of_elements_leaves_the_chain_of_the_guard_where_it_is(
    path: Path, plan: DiversionPlan, change: str
) -> None:
    after = SMALL[change](plan)
    path.router.call(guard.install, plan)
    handles = _table_handle(path, guard.TABLE), _chains(path, guard.TABLE)
    path.router.call(guard.install, after)
    assert (_table_handle(path, guard.TABLE), _chains(path, guard.TABLE)) == handles
    _is_as_if_laid_at_once(path, guard.TABLE, guard.guard_table(after), guard.present)


def _is_as_if_laid_at_once(path: Path, name: str, whole: NftTable, present: Callable[[], bool]) -> None:
    assert path.router.call(present)
    changed = path.router.run("nft", "--stateless", "list", "table", "ip", name)
    path.router.run("nft", "-f", "-", input=whole.anew())
    assert path.router.run("nft", "--stateless", "list", "table", "ip", name) == changed


def test_another_interface_takes_a_table_of_its_own(path: Path, plan: DiversionPlan) -> None:
    path.router.call(guard.install, plan)
    handle = _table_handle(path, guard.TABLE)
    path.router.call(guard.install, replace(plan, externals=outside(EXTERNAL, name="ppp0")))
    assert _table_handle(path, guard.TABLE) != handle
    assert "wan0" not in listed(path)


def test_a_packet_that_waits_in_the_queue_outlives_a_change_of_networks(
    path: Path, plan: DiversionPlan
) -> None:
    path.divert_outbound()
    path.router.call(guard.install, plan)
    with (
        path.sender() as sender,
        path.receiver() as receiver,
        KernelQueue(path.router, QUEUE).open() as queue,
    ):
        sender.send(b"waits")
        packet = queue.receive()
        assert packet is not None
        path.router.call(guard.install, replace(plan, networks=MORE_NETWORKS))
        queue.decide(packet, ACCEPT, with_source(packet.payload, EXTERNAL))
        assert receiver.recv(100) == b"waits"


TAMPERINGS = (
    "insert rule ip nfmasq_guard egress accept",
    "flush chain ip nfmasq_guard quoted",
    "add element ip nfmasq_guard exempt { 198.51.100.0/24 }",
    "delete element ip nfmasq_guard internal { 192.168.1.0/24 }",
    "delete table ip nfmasq_guard",
)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_what_others_change_is_noticed_after_a_change_in_place_and_mended_by_the_next(
    path: Path, plan: DiversionPlan, tampering: str
) -> None:
    path.router.call(guard.install, plan)
    more = replace(plan, externals=outside(EXTERNAL, OTHER_ADDRESS))
    path.router.call(guard.install, more)
    whole = listed(path)
    path.router.run("nft", tampering)
    assert not path.router.call(guard.present)
    path.router.call(guard.install, plan)
    path.router.call(guard.install, more)
    assert path.router.call(guard.present)
    assert listed(path) == whole

"""Other people's rules that stand in the way are found where they are, and only those."""

import json
from dataclasses import replace

import pytest
from support.path import Path

from nfmasq.diversion import Diversion, DiversionPlan, foreign, foreign_marks, foreign_tables, guard
from nfmasq.machine.programs import Outcome

pytestmark = pytest.mark.root

NFT = """\
table inet mine {{
	chain out {{
		type nat hook postrouting priority 100
		{}
	}}
}}
"""


def _found(path: Path) -> list[str]:
    found: list[str] = path.router.call(foreign.source_translations, "wan0")
    return found


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize(
    "rule",
    [
        "-o wan0 -j MASQUERADE",
        "-j MASQUERADE",
        "-s 192.168.1.0/24 ! -o docker0 -j SNAT --to-source 203.0.113.1",
        "-o wan+ -j MASQUERADE",
    ],
)
def test_a_translation_by_iptables_is_found(path: Path, program: str, rule: str) -> None:
    path.router.run(program, "-t", "nat", "-A", "POSTROUTING", *rule.split())
    assert len(_found(path)) == 1


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize(
    "rule", ["-o eth9 -j MASQUERADE", "! -o wan0 -j MASQUERADE", "-o wan0 -j ACCEPT", "-o eth+ -j MASQUERADE"]
)
def test_a_rule_by_iptables_that_does_not_concern_us_is_not(path: Path, program: str, rule: str) -> None:
    path.router.run(program, "-t", "nat", "-A", "POSTROUTING", *rule.split())
    assert _found(path) == []


@pytest.mark.parametrize(
    "rule",
    [
        "masquerade",
        'oifname "wan0" masquerade',
        'oifname { "ppp0", "wan0" } masquerade',
        'oifname "wan*" masquerade',
        'oifname != "docker0" snat ip to 203.0.113.1',
        "oif wan0 ip saddr 192.168.1.0/24 masquerade",
    ],
)
def test_a_translation_by_nft_is_found_by_table_and_chain(path: Path, rule: str) -> None:
    path.router.run("nft", "-f", "-", input=NFT.format(rule))
    assert _found(path) == ["nft table inet mine chain out"]


@pytest.mark.parametrize(
    "rule", ['oifname "eth9" masquerade', 'oifname != "wan0" masquerade', "oif lo masquerade", "accept"]
)
def test_a_rule_by_nft_that_does_not_concern_us_is_not(path: Path, rule: str) -> None:
    path.router.run("nft", "-f", "-", input=NFT.format(rule))
    assert _found(path) == []


def test_our_own_rules_are_not_foreign(path: Path, diversion: Diversion, plan: DiversionPlan) -> None:
    path.router.call(guard.install, plan)
    path.router.call(diversion.install, plan)
    assert _found(path) == []


@pytest.mark.parametrize("devices", [["lan0", "wan0"], "wan0"])
def test_a_flow_table_on_our_interfaces_is_found(
    monkeypatch: pytest.MonkeyPatch, devices: list[str] | str
) -> None:
    # As nft prints it: a kernel without CONFIG_NF_FLOW_TABLE cannot show the real thing.
    table = {
        "family": "inet",
        "name": "fast",
        "table": "filter",
        "hook": "ingress",
        "prio": 0,
        "dev": devices,
    }
    listing = Outcome(0, json.dumps({"nftables": [{"metainfo": {}}, {"flowtable": table}]}), "")
    monkeypatch.setattr(foreign_tables, "run", lambda *_: listing)
    assert foreign.flowtables({"wan0"}) == ["nft flowtable inet filter fast"]
    assert foreign.flowtables({"eth9"}) == []


def _marks(path: Path) -> list[str]:
    found: list[str] = path.router.call(foreign_marks.mark_changes, {"lan0"})
    return found


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize(
    "rule",
    [
        "PREROUTING -j CONNMARK --restore-mark",
        "PREROUTING -i lan0 -j MARK --set-mark 1",
        "FORWARD ! -i wan0 -m mark ! --mark 0 -j MARK --and-mark 0xffff",
        "POSTROUTING -j MARK --set-mark 0",
    ],
)
def test_a_change_of_marks_by_iptables_is_found(path: Path, program: str, rule: str) -> None:
    path.router.run(program, "-t", "mangle", "-A", *rule.split())
    assert len(_marks(path)) == 1


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize(
    "rule",
    [
        "PREROUTING -i wan0 -j CONNMARK --restore-mark",
        "PREROUTING ! -i lan0 -j MARK --set-mark 1",
        "PREROUTING -m mark --mark 0 -j CONNMARK --restore-mark",
        "POSTROUTING -j CONNMARK --save-mark",
        "OUTPUT -j MARK --set-mark 1",
    ],
)
def test_a_rule_by_iptables_that_leaves_hairpinned_packets_marks_is_not(
    path: Path, program: str, rule: str
) -> None:
    path.router.run(program, "-t", "mangle", "-A", *rule.split())
    assert _marks(path) == []


@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ("meta mark set ct mark", 1),
        ('iifname "lan*" ip saddr 192.168.1.0/24 meta mark set 1', 1),
        ('iifname { "wan0", "lan0" } meta mark set meta mark and 0xffff', 1),
        ("meta mark != 0 meta mark set ct mark", 1),
        ("meta mark 0 meta mark set ct mark", 0),
        ('iifname "wan0" meta mark set ct mark', 0),
        ("ct mark set meta mark", 0),
    ],
)
def test_a_change_of_marks_by_nft_is_found(path: Path, rule: str, count: int) -> None:
    for chain, hook in (("between", "prerouting"), ("beside", "output")):
        text = f"table ip mine {{ chain {chain} {{ type filter hook {hook} priority mangle; {rule}; }}; }}"
        if hook == "prerouting" or "iifname" not in rule:
            path.router.run("nft", text)
    assert len(_marks(path)) == count


def test_our_own_rules_change_no_marks(path: Path, diversion: Diversion, plan: DiversionPlan) -> None:
    path.router.call(diversion.install, replace(plan, hairpinning=True))
    assert _marks(path) == []

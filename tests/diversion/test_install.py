"""Our rules come, stay, go, and leave everybody else's alone, whichever back end lays them."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from support.path import EXTERNAL, Path
from support.paths import outside

from diversion.rules import listed, saved
from nfmasq.diversion import Diversion, DiversionPlan, DiversionUnavailable, withdraw_all
from nfmasq.diversion.iptables import IptablesDiversion

pytestmark = pytest.mark.root

ADMINS_RULES = """\
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:admin - [0:0]
-A PREROUTING -i wan0 -s 198.51.100.0/24 -j DROP
-A PREROUTING -j admin
-A admin -p udp -m udp --dport 53 -j RETURN
COMMIT
*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A FORWARD -o wan0 -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
-A POSTROUTING -o wan0 -j TTL --ttl-inc 1
COMMIT
"""

ADMINS_NFT_RULES = """\
table ip admin {
	chain out {
		type filter hook postrouting priority 0
		oifname wan0 accept
	}
}
"""


@pytest.fixture(params=["iptables-restore", "iptables-legacy-restore"])
def admin(request: pytest.FixtureRequest, path: Path) -> Path:
    """The router with rules of an administrator, by either kind of iptables and by nft."""
    path.router.run("/usr/sbin/" + request.param, input=ADMINS_RULES)
    path.router.run("nft", "-f", "-", input=ADMINS_NFT_RULES)
    return path


def test_what_was_installed_is_present_and_what_was_removed_is_not(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    assert not path.router.call(diversion.present)
    path.router.call(diversion.install, plan)
    assert path.router.call(diversion.present)
    path.router.call(diversion.remove)
    assert not path.router.call(diversion.present)
    assert "nfmasq" not in listed(path) + "\n".join(saved(path))


def test_installing_twice_is_installing_once(path: Path, diversion: Diversion, plan: DiversionPlan) -> None:
    path.router.call(diversion.install, plan)
    once = saved(path), listed(path)
    path.router.call(diversion.install, plan)
    assert (saved(path), listed(path)) == once


def test_another_plan_takes_the_place_of_the_first(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, plan)
    other = replace(plan, externals=outside("198.51.100.77", name="ppp0"), queues=(200, 3))
    path.router.call(diversion.install, other)
    text = "\n".join(saved(path)) + listed(path)
    assert path.router.call(diversion.present)
    assert "198.51.100.77" in text
    assert "ppp0" in text
    assert EXTERNAL not in text
    assert "wan0" not in text


def test_a_router_without_an_address_or_a_network_yet_can_be_planned_for(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, replace(plan, externals=outside(), networks=()))
    assert path.router.call(diversion.present)


def test_networks_inside_others_do_no_harm(path: Path, diversion: Diversion, plan: DiversionPlan) -> None:
    networks = (IPv4Network("10.0.0.0/8"), IPv4Network("10.1.0.0/16"), IPv4Network("192.168.1.0/24"))
    path.router.call(diversion.install, replace(plan, networks=networks))
    assert path.router.call(diversion.present)


def test_removing_what_is_not_there_is_harmless(path: Path, diversion: Diversion) -> None:
    before = saved(path)
    path.router.call(diversion.remove)
    path.router.call(diversion.remove)
    assert saved(path) == before


def test_another_process_can_remove_the_rules_of_one_that_died(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, plan)
    successor = type(diversion)()
    path.router.call(successor.remove)
    assert "nfmasq" not in listed(path) + "\n".join(saved(path))


OLDER = """\
*raw
:nfmasq-in - [0:0]
:nfmasq-ext - [0:0]
-A nfmasq-in -d 203.0.113.1/32 -j nfmasq-ext
-A nfmasq-ext -j NFQUEUE --queue-num 7
-I PREROUTING 1 -i wan0 -j nfmasq-in
COMMIT
*mangle
:nfmasq-out - [0:0]
:nfmasq-guard - [0:0]
-A nfmasq-out -i lan0 -j NFQUEUE --queue-num 7
-A nfmasq-guard -s 192.168.1.0/24 -j DROP
-A POSTROUTING -o wan0 -j nfmasq-out
-A POSTROUTING -o wan0 -j nfmasq-guard
COMMIT
"""


@pytest.mark.parametrize("program", ["iptables-restore", "iptables-legacy-restore"])
def test_the_rules_of_an_older_version_give_way_and_go_by_whichever_program_they_came(
    path: Path, plan: DiversionPlan, program: str
) -> None:
    path.router.run("/usr/sbin/" + program, "--noflush", input=OLDER)
    ours = IptablesDiversion()
    path.router.call(ours.install, plan)
    assert path.router.call(ours.present)
    path.router.call(withdraw_all)
    assert "nfmasq" not in listed(path) + "\n".join(saved(path))


def test_an_administrators_rules_are_untouched_after_install_and_remove(
    admin: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    before = saved(admin)
    nft_before = admin.router.run("nft", "list", "table", "ip", "admin")
    assert len(before) == 6
    admin.router.call(diversion.install, plan)
    admin.router.call(diversion.install, plan)
    assert [line for line in saved(admin) if line in before] == before
    admin.router.call(diversion.remove)
    assert saved(admin) == before
    assert admin.router.run("nft", "list", "table", "ip", "admin") == nft_before


def test_rules_that_were_flushed_are_missed_and_can_be_put_back(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, plan)
    whole = saved(path)
    flush(path)
    assert not path.router.call(diversion.present)
    path.router.call(diversion.install, plan)
    assert path.router.call(diversion.present)
    assert saved(path) == whole


def test_one_rule_more_in_our_chains_is_noticed(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, plan)
    for insert in (
        "nft insert rule ip nfmasq outbound accept",
        "iptables -t mangle -I nfmasq-out -j ACCEPT",
        "iptables-legacy -t mangle -I nfmasq-out -j ACCEPT",
    ):
        path.router.run(*insert.split(), check=False)  # two of them find no such chain
    assert not path.router.call(diversion.present)
    path.router.call(diversion.install, plan)
    assert path.router.call(diversion.present)


def test_a_rule_that_others_change_elsewhere_is_none_of_our_business(
    path: Path, diversion: Diversion, plan: DiversionPlan
) -> None:
    path.router.call(diversion.install, plan)
    path.router.run(
        "sh", "-c", "iptables -t mangle -A POSTROUTING -j ACCEPT; iptables-legacy -A INPUT -j ACCEPT"
    )
    assert path.router.call(diversion.present)


@pytest.mark.parametrize("name", ["", 'wan0"', "wan+", "wan 0", "wan0\n", "sixteen-letters-"])
def test_an_interface_name_no_rule_can_bear_is_refused(plan: DiversionPlan, name: str) -> None:
    with pytest.raises(DiversionUnavailable, match="rename the interface"):
        replace(plan, externals=outside(name=name))


def test_queues_past_the_last_number_are_refused(plan: DiversionPlan) -> None:
    with pytest.raises(DiversionUnavailable, match=r"engine\.first_queue"):
        replace(plan, queues=(65535, 2))


def flush(path: Path) -> None:
    """What an administrator does who starts anew, by every program there is."""
    for program in ("iptables", "iptables-legacy"):
        for table in ("raw", "mangle"):
            path.router.run("sh", "-c", f"{program} -t {table} -F; {program} -t {table} -X", check=False)
    path.router.run("/usr/sbin/nft", "flush", "ruleset")

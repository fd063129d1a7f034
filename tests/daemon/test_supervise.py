"""The supervisor alone, on a router of its own: orders of events no running daemon can be made to show."""

import socket
import subprocess
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from support.behind import CLIENT, INTERNAL, filled, speak
from support.supervisors import Recording, Refusing, configured, supervised, supervisor

from nfmasq.daemon.others import FollowedOthers
from nfmasq.daemon.supervise import Supervisor
from nfmasq.diversion import External
from nfmasq.lab.foreign import iptables
from nfmasq.lab.namespace import Namespace


def test_an_added_forward_is_in_the_policy_and_in_the_rules_at_once(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    router.call(made.add_forward, {"protocol": "tcp", "external_port": 2000, "to": str(CLIENT)}, False)
    assert made.policy.now is not None
    assert made.policy.now.reserved_tcp == {2000}
    assert [forward.ports for forward in made.policy.now.forwards] == [(2000, 2000)]
    assert recording.plans[-1].forwards == made.policy.now.forwards
    laid = len(recording.plans)
    router.call(made.reconcile)
    assert len(recording.plans) == laid, "rules were laid anew though nothing had changed"
    router.call(made.remove_forward, "tcp-2000")
    assert made.policy.now.forwards == recording.plans[-1].forwards == ()
    router.call(made.withdraw, False)


def test_a_live_session_outlasts_the_forward_that_is_removed(router: Namespace) -> None:
    table = filled()
    made = supervised(table, Recording())
    router.call(made.begin)
    router.call(made.add_forward, {"to": str(CLIENT)}, False)
    speak(table, CLIENT, 5000)
    router.call(made.remove_forward, "any")
    assert CLIENT in table.hosts()
    router.call(made.withdraw, False)


def test_a_reload_changes_hairpinning_in_the_rules(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    assert recording.plans[-1].hairpinning
    router.call(made.adopt, configured(hairpinning=False))
    assert not recording.plans[-1].hairpinning
    router.call(made.withdraw, False)


def test_while_nothing_changes_no_program_is_started(
    router: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = supervisor(router)
    router.call(made.begin)
    for _ in range(2):  # the second one looks once at the rules of the first
        router.call(made.reconcile)
    started: list[object] = []
    popen = subprocess.Popen.__init__

    def counted(self: Any, arguments: Any, *more: Any, **named: Any) -> None:
        started.append(arguments)
        popen(self, arguments, *more, **named)

    monkeypatch.setattr(subprocess.Popen, "__init__", counted)
    for _ in range(10):
        router.call(made.reconcile)
    router.ip("route add 198.51.100.0/24 via 203.0.113.1")
    del started[:]  # that was `ip`
    router.call(made.reconcile)
    assert started == []
    router.run("nft", "flush", "ruleset")
    del started[:]
    router.call(made.reconcile)
    assert started, "a flush of the rules was not seen"
    assert made.situation().rules_reinstalled == 1
    router.call(made.withdraw, False)


def test_each_part_goes_on_while_another_fails(router: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)

    def failing(*_: object) -> None:
        raise OSError("no buffer space")

    monkeypatch.setattr(made.policy, "follow", failing)
    router.ip("route add 10.9.0.0/16 via 192.168.1.2")
    router.call(made.reconcile)
    assert made.situation().problems == ("the core keeps its policy of before: no buffer space",)
    assert IPv4Network("10.9.0.0/16") in recording.plans[-1].networks
    monkeypatch.undo()
    monkeypatch.setattr(made.surroundings, "follow", failing)
    router.call(made.add_forward, {"protocol": "tcp", "external_port": 2000, "to": str(CLIENT)}, False)
    router.call(made.reconcile)
    told = "links, addresses and routes cannot be followed: no buffer space"
    assert made.situation().problems == (told,)
    assert recording.plans[-1].forwards
    monkeypatch.undo()
    router.call(made.reconcile)
    assert made.situation().problems == ()
    router.call(made.withdraw, False)


def test_with_an_uplink_away_it_begins_and_takes_it_in_when_it_comes(router: Namespace) -> None:
    recording = Recording()
    made = supervised(filled(), recording, configured(external=["wan0", "wwan0"]))
    router.call(made.begin)
    assert [each.state for each in made.situation().uplinks][1] == "away"
    assert "external interface wwan0 does not exist" in made.situation().problems[0]
    router.ip(
        "link add wwan0 type veth peer name far0",
        "link set far0 up",
        "address add 100.99.0.2/24 dev wwan0",
        "link set wwan0 up",
    )
    router.call(made.reconcile)
    assert made.situation().problems == ()
    assert [each.state for each in made.situation().uplinks][1] == "ok"
    assert recording.plans[-1].externals[1] == External("wwan0", (IPv4Address("100.99.0.2"),))
    assert made.policy.now is not None
    assert made.policy.now.uplinks[1].index == router.call(socket.if_nametoindex, "wwan0")
    router.call(made.withdraw, False)


def test_a_public_network_inside_is_left_as_it_is_and_the_key_is_named(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.ip("address add 198.18.5.1/28 dev lan0")
    router.call(made.begin)
    public = IPv4Network("198.18.5.0/28")
    assert made.situation().untranslated_networks == recording.plans[-1].untranslated == (public,)
    (told,) = made.situation().warnings
    assert "198.18.5.0/28" in told
    assert "[[network]] translate" in told
    assert made.situation().problems == ()
    router.call(made.withdraw, False)


def test_a_helper_that_is_enabled_is_in_the_policy_when_the_call_returns(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    assert made.policy.now is not None
    assert [port.port for port in made.policy.now.helper_ports] == [21]
    router.call(made.set_helper, "irc", True, INTERNAL)
    assert [port.port for port in made.policy.now.helper_ports] == [21, 6667]
    router.call(made.set_helper, "ftp", False, None)
    assert [port.port for port in made.policy.now.helper_ports] == [6667]
    assert len(recording.plans) == 1, "rules were laid anew"
    router.call(made.adopt, configured())
    assert [port.port for port in made.policy.now.helper_ports] == [21]
    router.call(made.withdraw, False)


def test_the_core_hears_that_others_lead_inside_when_rules_bring_what_these_leave(router: Namespace) -> None:
    """Else it would let packets of the default host by, and no rule would bring them again."""
    made = supervisor(router, recording := Recording())
    router.call(made.begin)
    router.call(made.add_forward, {"to": str(CLIENT)}, False)
    laid_by = made.rules._rules
    laid_by._layer = Refusing()
    iptables(router, "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to 172.17.0.2")
    for _ in range(2):
        made.others = FollowedOthers()  # a look is due, whatever looks cost before
        router.call(made.reconcile)
        assert "could not be installed" in "; ".join(made.situation().problems)
        assert not _led(made)
    laid_by._layer = recording
    router.call(made.reconcile)
    assert recording.plans[-1].others_lead
    assert _led(made)
    laid_by._layer = Refusing()
    router.run("iptables", "-t", "nat", "-F")
    made.others = FollowedOthers()
    router.call(made.reconcile)
    assert not _led(made), "before the rules that bring them are gone"
    router.call(made.withdraw, False)


def _led(made: Supervisor) -> bool:
    assert made.policy.now is not None
    return made.policy.now.others_lead

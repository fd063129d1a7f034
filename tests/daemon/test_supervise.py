"""The supervisor alone, on a router of its own: orders of events no running daemon can be made to show."""

from ipaddress import IPv4Address
from typing import Any

import pytest
from support.behind import CLIENT, EXTERNAL, INTERNAL, filled, speak

from nfmasq._fastpath import Table
from nfmasq.config import Config, parse
from nfmasq.daemon.helping import Helping
from nfmasq.daemon.supervise import Supervisor
from nfmasq.diversion import Diversion, DiversionPlan, DiversionUnavailable, guard, probe
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab

QUEUES = (100, 1)
NO_FILE = "/dev/null/forwards"


def configured(**nat: Any) -> Config:
    """A configuration for the router's interfaces."""
    return parse({"nat": {"internal": ["lan0"], "external": "wan0", **nat}, "engine": {"forwards": NO_FILE}})


class Refusing:
    """A diversion whose rules the kernel does not take."""

    name = "refusing"

    def install(self, plan: DiversionPlan) -> None:
        """Refuse."""
        raise DiversionUnavailable("no such expression")

    def remove(self) -> None:
        """Nothing is there."""

    def present(self) -> bool:
        """Never."""
        return False


class Recording:
    """A diversion that lays no rules and remembers what it was asked for."""

    name = "recording"

    def __init__(self) -> None:
        self.plans: list[DiversionPlan] = []

    def install(self, plan: DiversionPlan) -> None:
        """Remember it."""
        self.plans.append(plan)

    def remove(self) -> None:
        """Nothing is there."""

    def present(self) -> bool:
        """As far as anybody knows."""
        return True


def supervisor(router: Namespace, diversion: Diversion | None = None) -> Supervisor:
    """A supervisor for the router, not begun."""
    return supervised(filled(), diversion or router.call(probe))


def supervised(table: Table, diversion: Diversion, config: Config | None = None) -> Supervisor:
    """A supervisor of this table, not begun; the helpers' thread does not run."""
    config = config or configured()
    return Supervisor(config, table, diversion, QUEUES, Helping(config, table))


def rules(router: Namespace) -> str:
    """All rules of the router."""
    return router.run("iptables-save") + router.run("nft", "--stateless", "list", "ruleset")


def test_after_the_end_nothing_is_reinstalled(router: Namespace) -> None:
    made = supervisor(router)
    router.call(made.begin)
    assert made.situation().problems == ()
    router.call(made.withdraw, False)
    router.call(made.reconcile)
    router.call(made.adopt, configured(ports="2000-3000"))
    assert "nfmasq" not in rules(router)


def test_without_diversion_the_guard_is_the_administrators_too(router: Namespace) -> None:
    made = supervisor(router, probe("none"))
    router.call(made.begin)
    router.call(made.reconcile)
    assert "nfmasq" not in rules(router)
    assert made.situation().problems == ()


def test_rules_that_are_refused_take_the_guard_along(router: Namespace) -> None:
    with pytest.raises(DiversionUnavailable):
        router.call(supervisor(router, Refusing()).begin)
    assert "nfmasq" not in rules(router)


def test_rules_that_are_refused_leave_a_dead_daemons_guard(
    router: Namespace, prepared: DaemonUnderLab
) -> None:
    prepared.start()
    prepared.kill()
    with pytest.raises(DiversionUnavailable):
        router.call(supervisor(router, Refusing()).begin)
    assert "nfmasq_guard" in rules(router)
    router.call(guard.remove)


def test_rules_refused_while_it_runs_are_a_problem_until_they_are_taken(router: Namespace) -> None:
    made = supervisor(router)
    router.call(made.begin)
    working, made.rules.diversion = made.rules.diversion, Refusing()
    router.ip("address del 203.0.113.2/24 dev wan0", "address add 203.0.113.9/24 dev wan0")
    router.call(made.reconcile)
    router.ip("address add 203.0.113.8/24 dev wan0")
    router.call(made.reconcile)
    assert made.situation().problems == ("the rules could not be installed: no such expression",)
    assert not made.situation().rules_in_place
    made.rules.diversion = working
    router.call(made.reconcile)
    assert made.situation().problems == ()
    router.call(made.withdraw, False)


def test_the_first_address_that_stays_is_no_change(router: Namespace) -> None:
    made = supervisor(router)
    router.call(made.begin)
    router.ip("address add 198.51.100.7/24 dev wan0")
    router.call(made.reconcile)
    assert made.situation().external_addresses[0] == IPv4Address("203.0.113.2")
    assert made.situation().address_changes == 0
    router.ip("address del 203.0.113.2/24 dev wan0")
    router.call(made.reconcile)
    assert made.situation().address_changes == 1
    router.call(made.withdraw, False)


def test_sessions_outlive_an_interface_that_goes_and_comes_back(router: Namespace) -> None:
    table = filled()
    made = supervised(table, router.call(probe))
    router.call(made.begin)
    speak(table, CLIENT, 5000)
    router.ip("link del wan0")
    router.call(made.reconcile)
    assert "interface wan0 does not exist" in "; ".join(made.situation().problems)
    router.ip("link add wan0 type bridge", f"address add {EXTERNAL}/24 dev wan0", "link set wan0 up")
    router.call(made.reconcile)
    assert made.situation().problems == ()
    assert CLIENT in table.hosts()
    router.ip(f"address del {EXTERNAL}/24 dev wan0")
    router.call(made.reconcile)
    assert CLIENT in table.hosts(), "nobody knows yet whether the address comes back"
    router.ip("address add 203.0.113.99/24 dev wan0")
    router.call(made.reconcile)
    assert not table.hosts(), "a session outlived its address"
    router.call(made.withdraw, False)


def test_an_added_forward_is_in_the_policy_and_in_the_rules_at_once(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    router.call(made.add_forward, {"protocol": "tcp", "external_port": 2000, "to": str(CLIENT)}, False)
    assert made.uplink.policy is not None
    assert made.uplink.policy.reserved_tcp == {2000}
    assert [forward.ports for forward in made.uplink.policy.forwards] == [(2000, 2000)]
    assert recording.plans[-1].forwards == made.uplink.policy.forwards
    laid = len(recording.plans)
    router.call(made.reconcile)
    assert len(recording.plans) == laid, "rules were laid anew though nothing had changed"
    router.call(made.remove_forward, "tcp-2000")
    assert made.uplink.policy.forwards == recording.plans[-1].forwards == ()
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


def test_a_helper_that_is_enabled_is_in_the_policy_when_the_call_returns(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    assert made.uplink.policy is not None
    assert [port.port for port in made.uplink.policy.helper_ports] == [21]
    router.call(made.set_helper, "irc", True, INTERNAL)
    assert [port.port for port in made.uplink.policy.helper_ports] == [21, 6667]
    router.call(made.set_helper, "ftp", False, None)
    assert [port.port for port in made.uplink.policy.helper_ports] == [6667]
    assert len(recording.plans) == 1, "rules were laid anew"
    router.call(made.adopt, configured())
    assert [port.port for port in made.uplink.policy.helper_ports] == [21]
    router.call(made.withdraw, False)


def test_addresses_that_are_inside_and_outside_are_told_once_and_as_long_as_it_is_so(
    router: Namespace, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 4787 REQ-7."""
    made = supervisor(router, Recording())
    router.call(made.begin)
    assert made.situation().warnings == ()
    router.ip("route add 192.168.1.128/25 dev wan0")
    for _ in range(2):
        router.call(made.reconcile)
    (told,) = made.situation().warnings
    assert "192.168.1.128/25 is behind lan0 and on the side of wan0" in told
    assert "renumber one side" in told
    assert caplog.messages.count(told) == 1
    router.ip("route del 192.168.1.128/25 dev wan0")
    router.call(made.reconcile)
    assert made.situation().warnings == ()
    router.call(made.withdraw, False)


def test_a_route_that_comes_leaves_the_guards_chain_where_it_is(router: Namespace) -> None:
    """A chain with a hook that is made anew takes all packets with it that wait in a queue."""
    made = supervisor(router, Recording())
    router.call(made.begin)
    before = _guards_chain(router)
    router.ip("route add 10.9.0.0/16 dev lan0")
    router.call(made.reconcile)
    router.call(made.reconcile)
    assert "10.9.0.0/16" in rules(router)
    assert _guards_chain(router) == before
    assert made.situation().rules_reinstalled == 0
    router.call(made.withdraw, False)
    router.ip("route del 10.9.0.0/16 dev lan0")


def _guards_chain(router: Namespace) -> str:
    listed = router.run("nft", "-a", "list", "table", "ip", guard.TABLE).splitlines()
    return next(line for line in listed if "chain egress" in line)

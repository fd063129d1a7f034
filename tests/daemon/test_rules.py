"""The rules and the guard: installed, refused, withdrawn."""

from ipaddress import IPv4Network

import pytest
from support.behind import filled
from support.capabilities import without_net_admin
from support.supervisors import Recording, Refusing, configured, rules, supervised, supervisor

from nfmasq.daemon.share import Share
from nfmasq.diversion import DiversionUnavailable, guard, probe
from nfmasq.diversion.forwarding_stop import ForwardingStop
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab


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
    rules_of = made.rules._rules
    working, rules_of._layer = rules_of._layer, Refusing()
    router.ip("address del 203.0.113.2/24 dev wan0", "address add 203.0.113.9/24 dev wan0")
    router.call(made.reconcile)
    router.ip("address add 203.0.113.8/24 dev wan0")
    router.call(made.reconcile)
    assert made.situation().problems == ("the rules could not be installed: no such expression",)
    assert not made.situation().rules_in_place
    rules_of._layer = working
    router.call(made.reconcile)
    assert made.situation().problems == ()
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


def test_routes_that_come_and_go_are_laid_in_a_share_and_the_last_ones_in_the_end(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    clock = _Clock()
    made.rules._laying = Share(0.1, lambda: clock.now, clock.spent)
    router.call(made.begin)
    router.call(made.reconcile)
    for number in range(10):
        router.ip(f"route add 10.{number}.0.0/16 dev lan0")
        router.call(made.reconcile)
    assert len(recording.plans) == 2
    assert IPv4Network("10.0.0.0/16") in recording.plans[-1].networks
    assert IPv4Network("10.9.0.0/16") not in recording.plans[-1].networks
    assert made.situation().problems == ()
    clock.now += 100
    router.call(made.reconcile)
    assert len(recording.plans) == 3
    assert IPv4Network("10.8.0.0/15") in recording.plans[-1].networks
    router.call(made.withdraw, False)


@pytest.mark.parametrize("change", ["address add 203.0.113.77/24 dev wan0", "address flush dev wan0"])
def test_whatever_else_changes_is_laid_immediately(router: Namespace, change: str) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    made.rules._laying = Share(0.1, lambda: 0.0, _Clock().spent)
    router.call(made.begin)
    router.ip("route add 10.1.0.0/16 dev lan0")
    router.call(made.reconcile)
    before = len(recording.plans)
    router.ip(change)
    router.call(made.reconcile)
    assert len(recording.plans) == before + 1
    router.call(made.withdraw, False)


def test_where_destinations_are_exempt_a_network_is_laid_immediately(router: Namespace) -> None:
    recording = Recording()
    made = supervised(filled(), recording, configured(**{"except": ["198.51.100.0/24"]}))
    made.rules._laying = Share(0.1, lambda: 0.0, _Clock().spent)
    router.call(made.begin)
    for number in range(3):
        router.ip(f"route add 10.{number}.0.0/16 dev lan0")
        router.call(made.reconcile)
    assert len(recording.plans) == 4
    router.call(made.withdraw, False)


def test_rules_that_are_gone_are_reinstalled_though_networks_wait(router: Namespace) -> None:
    made = supervisor(router)
    made.rules._laying = Share(0.1, lambda: 0.0, _Clock().spent)
    router.call(made.begin)
    for number in range(3):
        router.ip(f"route add 10.{number}.0.0/16 dev lan0")
        router.call(made.reconcile)
    router.run("nft", "flush", "ruleset")
    router.call(made.reconcile)
    assert "nfmasq_guard" in rules(router)
    assert made.situation().rules_in_place
    assert made.situation().rules_reinstalled == 1
    router.call(made.withdraw, False)


def test_a_reload_is_laid_immediately_though_networks_wait(router: Namespace) -> None:
    """A network that is to be translated from now on must not leave by the rules of before."""
    made = supervisor(router, recording := Recording())
    made.rules._laying = Share(0.1, lambda: 0.0, _Clock().spent)
    router.call(made.begin)
    for number in range(3):
        router.ip(f"route add 10.{number}.0.0/16 dev lan0")
        router.call(made.reconcile)
    laid = len(recording.plans)
    router.ip("route add 10.3.0.0/16 dev lan0")
    router.call(made.adopt, configured())
    assert len(recording.plans) > laid
    router.call(made.withdraw, False)


def test_a_look_that_fails_is_due_again(router: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it saw of the rules is gone from the watch."""
    made = supervisor(router)
    router.call(made.begin)
    for _ in range(2):
        router.call(made.reconcile)
    router.run("nft", "flush", "ruleset")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(made.rules, "_keep_egress", lambda plan: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            router.call(made.reconcile)
    router.call(made.reconcile)
    assert "nfmasq_guard" in rules(router)
    router.call(made.withdraw, False)


def test_the_status_names_an_interface_whose_forwarding_the_kernel_refuses_to_stop(
    router: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = supervisor(router)

    def unavailable(plan: object) -> bool:
        raise DiversionUnavailable("no egress program; give the service CAP_BPF")

    made.rules._forwarding = ForwardingStop()
    monkeypatch.setattr(made.rules._egress, "keep", unavailable)
    router.sysctl("ipv4/conf/lan0/forwarding", 1)
    router.call(made.begin)
    for _ in range(2):
        router.call(made.reconcile)
    of_guard = made.rules._guard
    working, of_guard._layer = of_guard._layer, Refusing()
    router.run("nft", "flush", "ruleset")
    router.call(without_net_admin(made.reconcile))
    told = "; ".join(made.situation().problems)
    assert "forwarding from lan0 could not be stopped, and nothing guards it" in told
    assert "is stopped until" not in told
    of_guard._layer = working
    router.call(made.reconcile)
    assert "forwarding" not in "; ".join(made.situation().problems)
    router.call(made.withdraw, False)


def test_rules_of_others_in_other_tables_start_no_look_at_ours(router: Namespace) -> None:
    looks = []

    class Looking(Recording):
        stands_in = frozenset({"ip raw"})

        def present(self) -> bool:
            looks.append(True)
            return True

    made = supervisor(router, Looking())
    router.call(made.begin)
    router.call(made.reconcile)
    looks.clear()
    router.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "docker0", "-j", "RETURN")
    router.call(made.reconcile)
    assert not looks
    router.run("iptables", "-t", "raw", "-A", "PREROUTING", "-i", "docker0", "-j", "RETURN")
    router.call(made.reconcile)
    assert looks
    router.call(made.withdraw, False)


class _Clock:
    """Stands until it is moved; whatever was done cost a second of a processor."""

    def __init__(self) -> None:
        self.now = 0.0
        self._seconds = 0.0

    def spent(self) -> float:
        self._seconds += 1
        return self._seconds


def _guards_chain(router: Namespace) -> str:
    listed = router.run("nft", "-a", "list", "table", "ip", guard.TABLE).splitlines()
    return next(line for line in listed if "chain egress" in line)

"""The rules and the guard: installed, refused, withdrawn."""

import pytest
from support.supervisors import Recording, Refusing, configured, rules, supervisor

from nfmasq.diversion import DiversionUnavailable, guard, probe
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

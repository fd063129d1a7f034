"""Looks at the rules of others: the first one immediately, then no more than their share, then a last one."""

import pytest
from support.supervisors import rules

from nfmasq.daemon.others import SHARE, FollowedOthers
from nfmasq.daemon.share import LONGEST_PAUSE_S, Share
from nfmasq.diversion import DiversionPlan, External
from nfmasq.lab.namespace import Namespace

pytestmark = pytest.mark.root

COST = 0.01
PAUSE = COST / SHARE


class Clock:
    """A clock that stands until it is moved, and what each look is said to cost."""

    def __init__(self) -> None:
        self.now = 100.0
        self.cost = COST
        self._spent = 0.0

    def __call__(self) -> float:
        return self.now

    def spent(self) -> float:
        """Called before and after a look."""
        self._spent += self.cost
        return self._spent


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Follower:
    """Follows the rules of others on the router, by that clock."""

    def __init__(self, router: Namespace, clock: Clock) -> None:
        self.others = FollowedOthers(Share(SHARE, clock, clock.spent))
        self._router = router

    def __call__(self, *, touched: bool, external: str = "wan0") -> bool:
        plan = DiversionPlan(("lan0",), (External(external),), (), ((1024, 2047),), (100, 1))
        looked: bool = self._router.call(self.others.follow, plan, touched)
        return looked


@pytest.fixture
def follow(router: Namespace, clock: Clock) -> Follower:
    return Follower(router, clock)


def test_the_first_look_comes_immediately_and_without_changes_no_other(
    follow: Follower, clock: Clock
) -> None:
    assert follow(touched=False)
    for _ in range(3):
        clock.now += 10 * PAUSE
        assert not follow(touched=False)


def test_after_quiet_a_change_is_looked_at_immediately(follow: Follower, clock: Clock) -> None:
    follow(touched=False)
    clock.now += PAUSE
    assert follow(touched=True)


def test_while_changes_go_on_looks_take_their_share_alone(follow: Follower, clock: Clock) -> None:
    looks = 0
    for _ in range(1000):
        looks += follow(touched=True)
        clock.now += PAUSE / 20
    assert looks * COST <= SHARE * 1000 * PAUSE / 20 + COST


def test_when_the_changes_are_over_a_last_look_sees_what_is_left(follow: Follower, clock: Clock) -> None:
    follow(touched=True)
    assert not follow(touched=True)
    clock.now += PAUSE
    assert follow(touched=False)
    clock.now += PAUSE
    assert not follow(touched=False)


def test_rules_that_are_slow_to_read_are_still_read(follow: Follower, clock: Clock) -> None:
    clock.cost = 1000.0
    follow(touched=True)
    clock.now += LONGEST_PAUSE_S
    assert follow(touched=True)


def test_another_plan_is_judged_anew(follow: Follower, clock: Clock) -> None:
    follow(touched=False)
    clock.now += PAUSE
    assert follow(touched=False, external="wan1")


def test_a_look_that_fails_is_due_again_and_leaves_the_answers(
    follow: Follower, clock: Clock, router: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.run("iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "-j", "DNAT", "--to", "10.0.0.9")
    follow(touched=True)
    assert follow.others.leads, rules(router)
    clock.now += PAUSE
    with monkeypatch.context() as broken:
        broken.setattr("nfmasq.daemon.others.read_others", lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            follow(touched=True)
    assert follow.others.leads
    router.run("iptables", "-t", "nat", "-F")
    clock.now += PAUSE
    assert follow(touched=False)
    assert not follow.others.leads

"""Work takes its share of a processor, and no more; what programs cost counts too."""

from contextlib import suppress

import pytest
from support.supervisors import rules

from nfmasq.daemon.share import LONGEST_PAUSE_S, Share, processor_seconds
from nfmasq.lab.namespace import Namespace


class Clock:
    """A clock that stands until it is moved, and a processor that works when told to."""

    now = 0.0
    spent = 0.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def share(clock: Clock) -> Share:
    return Share(0.1, lambda: clock.now, lambda: clock.spent)


def _work(share: Share, clock: Clock, cost: float) -> None:
    with share.spending():
        clock.spent += cost


def test_the_first_work_waits_for_nothing(share: Share) -> None:
    assert share.is_left


def test_what_work_cost_is_paid_off_before_the_next(share: Share, clock: Clock) -> None:
    _work(share, clock, 0.5)
    assert not share.is_left
    clock.now += 4.9
    assert not share.is_left
    clock.now += 0.2
    assert share.is_left


def test_the_dearest_work_is_done_now_and_then(share: Share, clock: Clock) -> None:
    _work(share, clock, 1e6)
    clock.now += LONGEST_PAUSE_S
    assert share.is_left


def test_work_that_fails_has_cost_as_much(share: Share, clock: Clock) -> None:
    with suppress(OSError), share.spending():
        clock.spent += 0.5
        raise OSError("away")
    assert not share.is_left


@pytest.mark.root
def test_what_programs_cost_is_counted_when_they_have_ended(router: Namespace) -> None:
    before = processor_seconds()
    rules(router)
    assert processor_seconds() > before

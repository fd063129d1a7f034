"""What it costs to look, measured in its shortest form; no figure is judged."""

import pytest

from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan
from perf.looking import IDLE, IDLE_INSIDE, INNER, OTHERS, OUTER, TITLES, Looking, looking, rows
from perf.memory import Memory
from perf.outcome import Outcome
from perf.report import as_json
from perf.targets import judge
from perf.text import as_text

PLAN = Plan((), (), rounds=1, seconds=1, workers=1, senders=1)
FOUND = Looking(
    100_000, {IDLE: 0.005, OTHERS: 0.051, OUTER: 0.01, IDLE_INSIDE: 0.006, INNER: 0.05}, [0.1, 0.2, 0.4]
)
OUTCOME = Outcome(PLAN, Results((), ()), Memory(), looking=FOUND)


@pytest.mark.root
def test_every_state_has_its_share_and_every_address_its_time() -> None:
    told: list[str] = []
    found = looking(told.append, routes=200, seconds=1, addresses=2)
    assert found.shares.keys() == TITLES.keys()
    assert all(0 <= share < 2 for share in found.shares.values())
    assert len(found.address_s) == 2
    assert all(any(title in line for line in told) for title in TITLES.values())


def test_the_shares_and_the_time_are_held_against_their_bounds() -> None:
    marks = {one.name.removeprefix("looking-"): one.mark for one in judge(OUTCOME)}
    assert marks == {
        IDLE: "ok",
        IDLE_INSIDE: "short",
        OTHERS: "short",
        OUTER: "ok",
        INNER: "ok",
        "address": "ok",
    }


def test_people_and_programs_are_told() -> None:
    assert ["an inside route changes", "5.0%"] in list(rows(FOUND))
    assert "200 ms" in list(rows(FOUND))[-1]
    assert any(TITLES[INNER] in line for line in as_text(OUTCOME))
    assert as_json(OUTCOME)["looking"] == {
        "routes": FOUND.routes,
        "shares": FOUND.shares,
        "address_s": FOUND.address_s,
    }

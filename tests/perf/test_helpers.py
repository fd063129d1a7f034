"""What a helper costs and what others feel of it, each measured in its shortest form; no figure is judged."""

import os
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from nfmasq.bench.reading import Reading
from nfmasq.bench.results import Results
from nfmasq.bench.rounds import Plan
from nfmasq.core.policy import Limits, Policy, Uplink
from nfmasq.helpers.engine.standing import MOST_EXPECTATIONS
from nfmasq.helpers.kit.base import Session, Side
from perf import helpers, looping, neighbours
from perf.control import HOSTS, SERVER, Control, Router
from perf.helped import as_data, costs, delays, work
from perf.helpers import HelperCost, helper_cost
from perf.memory import Memory
from perf.neighbours import BUSY, COMPUTING, IDLE, LOOPING, Neighbours
from perf.outcome import Outcome
from perf.page import write
from perf.report import as_json
from perf.targets import judge
from perf.text import as_text

CLIENT = HOSTS.network_address + 1, 5000
COST = HelperCost(30e-6, 50e-6, 50.1e-6, 20e-6, 10_000, 50_000_000)
PLAN = Plan((), (), rounds=1, seconds=1, workers=1, senders=1)
STATES = {IDLE: 100e-6, COMPUTING: 40e-6, BUSY: 44e-6, LOOPING: 45e-6}


def _neighbours() -> Neighbours:
    found = Neighbours(rates=[20_000.0], shares=[0.8], cut_off=3)
    for state, median_s in STATES.items():
        found.readings[state].append(Reading({"round-trip": median_s, "round-trip-p99": 3 * median_s}))
    return found


OUTCOME = Outcome(PLAN, Results((), ()), Memory(), helper=COST, neighbours=_neighbours())


def test_what_a_client_announces_is_rewritten_and_acknowledged_as_it_was_heard() -> None:
    router = Router(100)
    control = Control(router, CLIENT)
    announced = 2 * MOST_EXPECTATIONS
    for port in range(5000, 5000 + announced):
        control.announce(port)
        control.say(False, b"200 PORT is fine\r\n")
    counters = router.engine.counters()["ftp"]
    assert (counters.rewritten, counters.errors, sum(counters.not_acted_on.values())) == (announced, 0, 0)
    assert router.engine.expectations() == MOST_EXPECTATIONS
    (session,) = [row for row in router.table.sessions() if row.state != "expected"]
    assert session.remote == SERVER


def test_a_line_that_no_helper_gets_is_an_error_and_not_a_figure() -> None:
    router = Router(100)
    router.table.configure(Policy((Uplink.pool(HOSTS.network_address - 1),), (HOSTS,), limits=Limits(100)))
    with pytest.raises(RuntimeError, match="the helper did not get"):
        Control(router, CLIENT)


def test_as_many_wait_as_may_when_that_is_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def lines(control: Control, port: int) -> tuple[float, float, float]:
        seen.append(control.router.engine.expectations())
        return 3.0, 1.0, 2.0

    monkeypatch.setattr(helpers, "_lines", lines)
    monkeypatch.setattr(helpers, "idle", lambda connections: 7)
    cost = helpers.measure(1, samples=8)
    assert [each - MOST_EXPECTATIONS for each in seen] == list(range(1, 9)), (
        "and those of the connection beside"
    )
    assert (cost.announcing_full, cost.plain, cost.ack, cost.memory) == (3.0, 1.0, 2.0, 7)


def test_idle_connections_announced_once_and_nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Router] = []

    def router(sessions: int, expectation_s: int) -> Router:
        made.append(Router(sessions, expectation_s))
        return made[-1]

    monkeypatch.setattr(helpers, "Router", router)
    assert helpers.idle(20) >= 0
    counters = made[0].engine.counters()["ftp"]
    assert (counters.sessions, counters.rewritten) == (20, 20)
    assert made[0].engine.expectations() == 0
    assert sum(made[0].table.gauges().sessions) == 20


def test_it_is_measured_in_a_program_of_its_own() -> None:
    cost = helper_cost(10)
    assert cost.connections == 10
    assert min(cost.plain, cost.announcing, cost.announcing_full, cost.ack) > 0


def test_the_helper_that_loops_is_found_while_it_is_installed() -> None:
    with looping.installed() as place:
        assert (
            "looping = perf.looping:Looping"
            in next(Path(place).glob("*.dist-info/entry_points.txt")).read_text()
        )
    assert not Path(place).exists()


@pytest.mark.root
def test_every_state_is_what_its_name_says_and_leaves_nothing_behind() -> None:
    before = os.environ.get("PYTHONPATH")
    told: list[str] = []
    found = neighbours.neighbours(1, told.append)
    assert os.environ.get("PYTHONPATH") == before
    assert len(told) == len(neighbours.TITLES)
    assert all(median(found.values(state, "round-trip")) > 0 for state in neighbours.TITLES)
    assert found.rates[0] > 0
    assert 0 < found.shares[0] <= 1.5
    assert found.cut_off >= 1


def test_each_target_of_the_helpers_is_judged() -> None:
    marks = {one.name: (one.mark, one.value) for one in judge(OUTCOME)}
    assert marks == {
        "helper-plain": ("ok", pytest.approx(30)),
        "helper-announcing": ("ok", pytest.approx(50)),
        "helper-announcing_full": ("short", pytest.approx(50.1)),
        "helper-ack": ("ok", pytest.approx(20)),
        "helper-idle": ("ok", 50),
        "helper-delay-busy": ("ok", pytest.approx(1.1)),
        "helper-delay-looping": ("short", pytest.approx(1.125)),
    }


def test_few_connections_say_nothing_about_the_memory_of_many() -> None:
    few = replace(OUTCOME, helper=replace(COST, connections=10))
    assert "helper-idle" not in {one.name for one in judge(few)}


def test_people_and_programs_get_all_of_it(tmp_path: Path) -> None:
    assert ["FTP control line", "30 µs"] in list(costs(COST))
    assert ["an idle control connection", "5 kB, of 10,000"] in list(costs(COST))
    rows = {row[0]: row[1:] for row in delays(_neighbours())}
    assert rows["a busy FTP control connection"] == ["44 µs", "132 µs", "1.1", "1.1"]
    assert rows["nothing works"] == ["100 µs", "300 µs", "2.5", "2.5"]
    assert "20000 lines a second" in work(_neighbours())
    said = "\n".join(as_text(OUTCOME))
    assert "a busy FTP control connection" in said
    assert "FTP control line" in said
    write(OUTCOME, tmp_path / "speed.md")
    text = (tmp_path / "speed.md").read_text()
    assert f"| one that announces while {MOST_EXPECTATIONS} wait | 50.1 µs |" in text
    assert "| nothing works | 100 µs | 300 µs | 2.5 | 2.5 |" in text
    assert as_json(OUTCOME)["helpers"] == {"cost": vars(COST), "neighbours": as_data(_neighbours())}
    data = as_data(_neighbours())
    assert data["rounds"]["busy"] == {"round-trip": [44e-6], "round-trip-p99": [132e-6]}  # type: ignore[index]


def test_a_helper_that_does_not_see_its_line_reads_on() -> None:
    session = Session(CLIENT, CLIENT, SERVER, inside_began=True)
    assert looping.Looping().begin(session).read(Side.INSIDE, b"hello\r\n").taken == 7

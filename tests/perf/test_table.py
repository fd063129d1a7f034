"""The table alone."""

import pytest

from perf import table
from perf.memory import table_cost


def test_every_packet_of_the_filling_begins_a_session_with_a_mapping_of_its_own() -> None:
    sessions = 3 * table.PORTS_A_HOST
    filled = table.new_table(sessions)
    table.fill(filled, range(sessions))
    gauges = filled.gauges()
    assert sum(gauges.sessions) == sum(gauges.mappings) == sessions
    assert len(filled.hosts()) == 3


def test_a_table_that_refuses_is_an_error_and_not_a_figure() -> None:
    full = table.new_table(1)
    table.fill(full, range(1))
    with pytest.raises(RuntimeError, match="refused"):
        table.fill(full, range(1, 2))


def test_the_table_is_measured_in_a_program_of_its_own() -> None:
    cost = table_cost(2000)
    assert cost.sessions == 2000
    assert cost.bytes_per_session > 128
    assert cost.new_few_ns > 0
    assert min(cost.new_half_ns, cost.new_nearly_ns, cost.restart_s) > 0

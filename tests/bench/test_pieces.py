"""The parts of the measures that need no network."""

import json

import pytest
from scapy.layers.inet import IP, TCP, UDP

from nfmasq.bench import bulk, table
from nfmasq.bench.bed import CLIENT, SERVER
from nfmasq.bench.memory import table_cost
from nfmasq.bench.packets import ACK, datagram, segment
from nfmasq.bench.pingpong import percentile
from nfmasq.bench.reading import BenchError


def test_a_datagram_is_what_scapy_would_build() -> None:
    expected = IP(src=str(CLIENT), dst=str(SERVER), id=0, flags="DF", ttl=64)
    expected /= UDP(sport=20000, dport=9) / bytes(64)
    assert datagram((CLIENT, 20000), (SERVER, 9), 64) == bytes(expected)


def test_a_segment_is_what_scapy_would_build() -> None:
    expected = IP(src=str(CLIENT), dst=str(SERVER), id=0, flags="DF", ttl=64)
    expected /= TCP(sport=20000, dport=80, flags="A", seq=5, ack=7, window=0xFFFF) / bytes(99)
    assert segment((CLIENT, 20000), (SERVER, 80), ACK, (5, 7), size=99) == bytes(expected)


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.5, 50), (0.99, 99), (1, 100)])
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile(range(1, 101), share) == expected


def test_the_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.99) == 7.0


def test_iperf3_reports_what_the_receiver_got() -> None:
    end = {"sum_sent": {"bits_per_second": 2.0}, "sum_received": {"bits_per_second": 1.0}}
    assert bulk.received(json.dumps({"end": end})) == 1.0


@pytest.mark.parametrize("said", ['{"error": "no route to host"}', "warning\nno route to host\n"])
def test_what_iperf3_complains_about_is_passed_on(said: str) -> None:
    with pytest.raises(BenchError, match="iperf3 failed: no route to host"):
        bulk.received(said)


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

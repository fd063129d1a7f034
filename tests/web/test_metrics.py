"""What Prometheus reads, and the page for people."""

from collections.abc import Callable
from dataclasses import replace

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from support.behind import CLIENT, Bare, speak

from nfmasq._fastpath import REASONS
from nfmasq.core.policy import TRANSPORTS
from nfmasq.web.metrics import registry

Get = Callable[[str], tuple[int, str]]
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(running: Bare) -> Series:
    """Every series of one scrape."""
    text = generate_latest(registry(running)).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names_and_labels(running: Bare) -> set[tuple[str, frozenset[str]]]:
    """Every name with the names of its labels."""
    return {(name, frozenset(label for label, _ in labels)) for name, labels in series(running)}


def test_the_fixed_families_are_there_with_their_labels(running: Bare) -> None:
    fixed = {
        ("nfmasq_build_info", frozenset({"version"})),
        ("nfmasq_packets_total", frozenset({"direction", "protocol"})),
        ("nfmasq_bytes_total", frozenset({"direction", "protocol"})),
        ("nfmasq_dropped_packets_total", frozenset({"reason"})),
        ("nfmasq_sessions", frozenset({"protocol"})),
        ("nfmasq_sessions_created_total", frozenset({"protocol"})),
        ("nfmasq_sessions_expired_total", frozenset({"protocol"})),
        ("nfmasq_mappings", frozenset({"protocol"})),
        ("nfmasq_ports_in_use", frozenset({"protocol"})),
        ("nfmasq_ports_capacity", frozenset({"protocol"})),
        ("nfmasq_port_allocation_failures_total", frozenset({"protocol", "reason"})),
        ("nfmasq_address_changes_total", frozenset()),
        ("nfmasq_config_last_reload_successful", frozenset()),
    }
    assert fixed <= names_and_labels(running)


def test_every_label_value_is_there_at_0_from_the_start(running: Bare) -> None:
    scraped = series(running)
    for direction in ("outbound", "inbound", "hairpin"):
        for protocol in ("tcp", "udp", "icmp", "other"):
            labels = frozenset({("direction", direction), ("protocol", protocol)})
            assert scraped["nfmasq_packets_total", labels] == 0
            assert scraped["nfmasq_bytes_total", labels] == 0
    for reason in REASONS:
        assert scraped["nfmasq_dropped_packets_total", frozenset({("reason", reason)})] == 0
    for protocol in TRANSPORTS:
        assert scraped["nfmasq_sessions_created_total", frozenset({("protocol", protocol)})] == 0


def test_traffic_does_not_make_new_series(running: Bare) -> None:
    before = set(series(running))
    speak(running.table, CLIENT, 5000)
    running.table.translate(b"")
    after = series(running)
    assert set(after) == before
    udp = frozenset({("protocol", "udp")})
    assert after["nfmasq_sessions", udp] == after["nfmasq_sessions_created_total", udp] == 1
    out = frozenset({("direction", "outbound"), ("protocol", "udp")})
    assert (after["nfmasq_packets_total", out], after["nfmasq_bytes_total", out]) == (1, 29)
    assert sum(value for (name, _), value in after.items() if name == "nfmasq_dropped_packets_total") == 1


def test_a_refused_reload_and_a_problem_show(running: Bare) -> None:
    nothing: frozenset[tuple[str, str]] = frozenset()
    good = series(running)
    assert good["nfmasq_config_last_reload_successful", nothing] == 1
    assert good["nfmasq_degraded", nothing] == 0
    running.seen = replace(running.seen, reload_successful=False, problems=("no external address",))
    bad = series(running)
    assert bad["nfmasq_config_last_reload_successful", nothing] == 0
    assert bad["nfmasq_degraded", nothing] == 1

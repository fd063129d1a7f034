"""The Prometheus families, read from the core's plain counters at scrape.

Nothing is counted here and nothing per packet passes by: a scrape takes a snapshot of the table's and the
workers' integers and of the kernel's queue numbers. Every label comes from a closed set, and every value of
it is there, at 0, from the first scrape.
"""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector as BaseCollector

from nfmasq import __version__
from nfmasq._fastpath import REASONS, QueueCounters
from nfmasq.control.report import DIRECTIONS, seen_by_kernel
from nfmasq.control.schemas import Running
from nfmasq.core.policy import TRANSPORTS
from nfmasq.core.worker import Worker
from nfmasq.helpers.engine.counters import HelperCounters
from nfmasq.helpers.kit.base import REFUSALS
from nfmasq.machine.queues import together

_OWN_QUEUE_COUNTERS = (
    (
        "packets",
        "nfmasq_queue_packets",
        "Packets a worker took from its queues; the label is the first.",
    ),
    ("batches", "nfmasq_queue_batches", "Batches of packets, each answered in one message to the kernel."),
    ("lost", "nfmasq_queue_lost_packets", "Packets the kernel numbered but could not deliver to the worker."),
    ("overruns", "nfmasq_queue_overruns", "Times the worker's socket ran over (ENOBUFS)."),
    ("refused", "nfmasq_queue_refused_verdicts", "Verdicts the kernel answered with an error."),
)
_ALLOCATION_FAILURE = "ports_exhausted"


class Collector(BaseCollector):
    """Reads a running daemon at scrape."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: so registering does not scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families, from one snapshot of each source."""
        yield InfoMetricFamily("nfmasq_build", "The version that runs.", value={"version": __version__})
        yield from self._traffic()
        yield from self._table()
        yield from _queues(self._running.workers)
        yield from _helpers(self._running)
        yield from self._control()

    def _traffic(self) -> Iterator[Metric]:
        counters = self._running.table.counters()
        labels = ["direction", "protocol"]
        packets = CounterMetricFamily("nfmasq_packets", "Packets translated.", labels=labels)
        octets = CounterMetricFamily("nfmasq_bytes", "Bytes of the packets translated.", labels=labels)
        for direction, packet_row, byte_row in zip(DIRECTIONS, counters.packets, counters.bytes, strict=True):
            for protocol, count, size in zip(TRANSPORTS, packet_row, byte_row, strict=True):
                packets.add_metric([direction, protocol], count)
                octets.add_metric([direction, protocol], size)
        yield packets
        yield octets
        dropped = CounterMetricFamily(
            "nfmasq_dropped_packets", "Packets dropped, by reason.", labels=["reason"]
        )
        for reason, count in zip(REASONS, counters.dropped, strict=True):
            dropped.add_metric([reason], count)
        yield dropped
        yield CounterMetricFamily(
            "nfmasq_passed_packets", "Packets let go untouched: the router's own.", value=counters.passed
        )
        yield _counter("nfmasq_sessions_created", "Sessions begun.", counters.created)
        yield _counter("nfmasq_sessions_expired", "Sessions ended by their timer.", counters.expired)
        failures = CounterMetricFamily(
            "nfmasq_port_allocation_failures",
            "New sessions refused for want of an external port.",
            labels=["protocol", "reason"],
        )
        for protocol, count in zip(TRANSPORTS, counters.allocation_failures, strict=True):
            failures.add_metric([protocol, _ALLOCATION_FAILURE], count)
        yield failures

    def _table(self) -> Iterator[Metric]:
        gauges = self._running.table.gauges()
        yield _gauge("nfmasq_sessions", "Sessions that stand.", gauges.sessions)
        yield _gauge("nfmasq_mappings", "Mappings that stand.", gauges.mappings)
        yield _gauge("nfmasq_ports_in_use", "External ports in use, over all addresses.", gauges.ports_in_use)
        yield _gauge("nfmasq_ports_capacity", "External ports there are to hand out.", gauges.ports_capacity)
        yield GaugeMetricFamily(
            "nfmasq_table_memory_bytes", "Memory of the session table touched so far.", value=gauges.memory
        )
        yield GaugeMetricFamily(
            "nfmasq_sessions_recovered",
            "Sessions found again at the start.",
            value=self._running.table.recovered,
        )

    def _control(self) -> Iterator[Metric]:
        situation = self._running.situation()
        yield CounterMetricFamily(
            "nfmasq_address_changes", "Changes of the external addresses.", value=situation.address_changes
        )
        yield CounterMetricFamily(
            "nfmasq_rules_restored",
            "Times the diversion's or the guard's rules were gone and put back.",
            value=situation.rules_restored,
        )
        yield GaugeMetricFamily(
            "nfmasq_config_last_reload_successful",
            "1 when the configuration read last is in force, 0 when it was refused.",
            value=float(situation.reload_successful),
        )
        yield GaugeMetricFamily(
            "nfmasq_degraded",
            "1 while something keeps the daemon from translating all it should; `nfmasq status` says what.",
            value=float(bool(situation.problems)),
        )
        yield GaugeMetricFamily(
            "nfmasq_start_time_seconds",
            "When the daemon started, seconds of the epoch.",
            value=self._running.started,
        )


def registry(running: Running) -> CollectorRegistry:
    """A registry of our own, with the process's memory, CPU and descriptors beside our families."""
    own = CollectorRegistry()
    own.register(Collector(running))
    ProcessCollector(registry=own)
    return own


def _gauge(name: str, about: str, values: Sequence[int]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=["protocol"])
    for protocol, value in zip(TRANSPORTS, values, strict=True):
        family.add_metric([protocol], value)
    return family


def _counter(name: str, about: str, values: Sequence[int]) -> Metric:
    family = CounterMetricFamily(name, about, labels=["protocol"])
    for protocol, value in zip(TRANSPORTS, values, strict=True):
        family.add_metric([protocol], value)
    return family


def _helpers(running: Running) -> Iterator[Metric]:
    labels = ["helper"]
    enabled = GaugeMetricFamily(
        "nfmasq_helper_enabled", "1 while it is on for any internal host.", labels=labels
    )
    sessions = GaugeMetricFamily("nfmasq_helper_sessions", "Sessions a helper reads now.", labels=labels)
    messages = CounterMetricFamily(
        "nfmasq_helper_messages",
        "Messages that carry an endpoint, by what became of them; error: sessions a helper failed on.",
        labels=["helper", "result"],
    )
    refused = CounterMetricFamily(
        "nfmasq_helper_refused", "Messages left as they were, by reason.", labels=["helper", "reason"]
    )
    duration = SummaryMetricFamily(
        "nfmasq_helper_duration_seconds", "Time spent on a packet of a helper's session.", labels=labels
    )
    counters = running.helper_counters()
    for name, entry in sorted(running.helpers().items()):
        own = counters.get(name, HelperCounters())
        enabled.add_metric([name], float(entry.switch.anywhere))
        sessions.add_metric([name], own.sessions)
        for result, count in own.by_result().items():
            messages.add_metric([name, result], count)
        for reason in REFUSALS:
            refused.add_metric([name, reason], own.refused.get(reason, 0))
        duration.add_metric([name], count_value=own.readings, sum_value=own.seconds)
    yield from (enabled, sessions, messages, refused, duration)
    yield GaugeMetricFamily(
        "nfmasq_expectations",
        "Sessions that helpers announced and nobody has come to yet.",
        value=running.expectations(),
    )


def _queues(workers: Sequence[Worker]) -> Iterator[Metric]:
    kernel = seen_by_kernel()
    labels = ["queue"]
    depth = GaugeMetricFamily(
        "nfmasq_queue_depth", "Packets waiting in the kernel for a worker's verdict.", labels=labels
    )
    dropped = CounterMetricFamily(
        "nfmasq_queue_dropped_packets",
        "Packets the kernel dropped because a queue or its socket was full.",
        labels=labels,
    )
    for worker in workers:
        seen = together(kernel, worker.numbers)
        depth.add_metric([str(worker.number)], seen.waiting)
        dropped.add_metric([str(worker.number)], seen.dropped + seen.dropped_at_socket)
    yield depth
    yield dropped
    own = [(str(worker.number), worker.counters()) for worker in workers]
    for field, name, about in _OWN_QUEUE_COUNTERS:
        yield _of_queue(field, name, about, own)


def _of_queue(field: str, name: str, about: str, own: Sequence[tuple[str, QueueCounters]]) -> Metric:
    family = CounterMetricFamily(name, about, labels=["queue"])
    for number, counters in own:
        family.add_metric([number], getattr(counters, field))
    return family

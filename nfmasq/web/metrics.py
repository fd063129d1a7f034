"""The metrics, one a row: name, help, labels, and where its values are read.

Every label comes from a closed set, and every value of it is there, at 0, from the first scrape. To add a
metric, count it where it happens, let `scrape` take the count if it does not yet, and add a row here.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector as BaseCollector

from nfmasq import __version__
from nfmasq._fastpath import REASONS
from nfmasq.control.running import Running
from nfmasq.core.policy import TRANSPORTS
from nfmasq.diversion import guard_drops
from nfmasq.helpers.kit.base import NOT_ACTED_ON
from nfmasq.web.rows import (
    Kind,
    MetricRow,
    by_direction,
    by_helper,
    by_protocol,
    by_queue,
    counter,
    families,
    gauge,
    named,
    of_helpers,
    one,
)
from nfmasq.web.scrape import scrape

_ALLOCATION_FAILURE = "ports_exhausted"
_DIRECTION, _PROTOCOL, _HELPER, _QUEUE = ("direction", "protocol"), ("protocol",), ("helper",), ("queue",)

METRICS: tuple[MetricRow, ...] = (
    MetricRow(
        "nfmasq_build", Kind.INFO, "The version that runs.", (), one(lambda _: {"version": __version__})
    ),
    # Traffic.
    counter(
        "nfmasq_packets", "Packets translated.", _DIRECTION, by_direction(lambda seen: seen.counters.packets)
    ),
    counter(
        "nfmasq_bytes",
        "Bytes of the packets translated.",
        _DIRECTION,
        by_direction(lambda seen: seen.counters.bytes),
    ),
    counter(
        "nfmasq_dropped_packets",
        "Packets dropped, by reason.",
        ("reason",),
        lambda seen: named(REASONS, seen.counters.dropped),
    ),
    counter(
        "nfmasq_guard_dropped_packets",
        "Packets the guard dropped, by reason: its rules and its egress program.",
        ("reason",),
        lambda seen: [((row.name,), seen.situation.guard_drops.get(row.name, 0)) for row in guard_drops.ROWS],
    ),
    counter(
        "nfmasq_passed_packets",
        "Packets of the router itself, passed unchanged.",
        (),
        one(lambda seen: seen.counters.passed),
    ),
    # The table.
    counter(
        "nfmasq_sessions_created",
        "Sessions created.",
        _PROTOCOL,
        by_protocol(lambda seen: seen.counters.created),
    ),
    counter(
        "nfmasq_sessions_expired",
        "Sessions ended by their timer.",
        _PROTOCOL,
        by_protocol(lambda seen: seen.counters.expired),
    ),
    counter(
        "nfmasq_sessions_evicted",
        "Sessions ended early because room was short: unanswered, or over.",
        _PROTOCOL,
        by_protocol(lambda seen: seen.counters.evicted),
    ),
    counter(
        "nfmasq_port_allocation_failures",
        "New sessions refused for want of an external port.",
        ("protocol", "reason"),
        lambda seen: [
            ((protocol, _ALLOCATION_FAILURE), count)
            for protocol, count in zip(TRANSPORTS, seen.counters.allocation_failures, strict=True)
        ],
    ),
    gauge("nfmasq_sessions", "Live sessions.", _PROTOCOL, by_protocol(lambda seen: seen.gauges.sessions)),
    gauge("nfmasq_mappings", "Live mappings.", _PROTOCOL, by_protocol(lambda seen: seen.gauges.mappings)),
    gauge(
        "nfmasq_ports_in_use",
        "External ports in use, over all addresses.",
        _PROTOCOL,
        by_protocol(lambda seen: seen.gauges.ports_in_use),
    ),
    gauge(
        "nfmasq_mappings_sharing_ports",
        "Live mappings at the external port of another one (nat.share_ports).",
        (),
        one(lambda seen: seen.gauges.borrowing),
    ),
    gauge(
        "nfmasq_ports_capacity",
        "External ports that can be allocated, over all addresses.",
        _PROTOCOL,
        by_protocol(lambda seen: seen.gauges.ports_capacity),
    ),
    gauge(
        "nfmasq_table_memory_bytes",
        "Memory of the session table touched so far.",
        (),
        one(lambda seen: seen.gauges.memory),
    ),
    gauge(
        "nfmasq_sessions_recovered", "Sessions recovered at the start.", (), one(lambda seen: seen.recovered)
    ),
    # Workers and their queues.
    gauge(
        "nfmasq_queue_depth",
        "Packets waiting in the kernel for a worker's verdict.",
        _QUEUE,
        by_queue(lambda queues: queues.kernel.waiting),
    ),
    counter(
        "nfmasq_queue_dropped_packets",
        "Packets the kernel dropped because a queue or its socket was full.",
        _QUEUE,
        by_queue(lambda queues: queues.kernel.dropped + queues.kernel.dropped_at_socket),
    ),
    counter(
        "nfmasq_queue_packets",
        "Packets a worker took from its queues; the label is the first queue.",
        _QUEUE,
        by_queue(lambda queues: queues.own.packets),
    ),
    counter(
        "nfmasq_queue_batches",
        "Batches of packets, each answered in one message to the kernel.",
        _QUEUE,
        by_queue(lambda queues: queues.own.batches),
    ),
    counter(
        "nfmasq_queue_lost_packets",
        "Packets the kernel numbered but could not deliver to the worker.",
        _QUEUE,
        by_queue(lambda queues: queues.own.lost),
    ),
    counter(
        "nfmasq_queue_overruns",
        "Times the worker's socket ran over (ENOBUFS).",
        _QUEUE,
        by_queue(lambda queues: queues.own.overruns),
    ),
    counter(
        "nfmasq_queue_rejected_verdicts",
        "Verdicts the kernel rejected.",
        _QUEUE,
        by_queue(lambda queues: queues.own.refused),
    ),
    counter(
        "nfmasq_queue_refused_verdicts",
        "The older name of nfmasq_queue_rejected_verdicts_total.",
        _QUEUE,
        by_queue(lambda queues: queues.own.refused),
    ),
    counter(
        "nfmasq_queue_beats",
        "Rounds of the worker's loop; an idle worker makes four a second, a stuck one none.",
        _QUEUE,
        by_queue(lambda queues: queues.own.beats),
    ),
    # Helpers.
    gauge(
        "nfmasq_helper_enabled",
        "1 while the helper is enabled for any internal host.",
        _HELPER,
        lambda seen: [((name,), float(entry.switch.anywhere)) for name, (entry, _) in seen.helpers.items()],
    ),
    gauge(
        "nfmasq_helper_sessions", "Sessions a helper reads now.", _HELPER, by_helper(lambda own: own.sessions)
    ),
    counter(
        "nfmasq_helper_messages",
        "Messages that carry an endpoint. refused: not acted on; error: sessions a helper failed on.",
        ("helper", "result"),
        of_helpers(lambda own: own.by_result().items()),
    ),
    counter(
        "nfmasq_helper_refused",
        "Messages not acted on, by reason.",
        ("helper", "reason"),
        of_helpers(lambda own: [(reason, own.not_acted_on.get(reason, 0)) for reason in NOT_ACTED_ON]),
    ),
    MetricRow(
        "nfmasq_helper_duration_seconds",
        Kind.SUMMARY,
        "Time spent on a packet of a helper's session.",
        _HELPER,
        by_helper(lambda own: (own.readings, own.seconds)),
    ),
    gauge(
        "nfmasq_expectations",
        "Expectations whose session has not begun.",
        (),
        one(lambda seen: seen.expectations),
    ),
    # The daemon.
    counter(
        "nfmasq_address_changes",
        "Changes of the external addresses.",
        (),
        one(lambda seen: seen.situation.address_changes),
    ),
    counter(
        "nfmasq_rules_reinstalled",
        "Times the rules of the diversion or the guard were gone and reinstalled.",
        (),
        one(lambda seen: seen.situation.rules_reinstalled),
    ),
    counter(
        "nfmasq_rules_restored",
        "The older name of nfmasq_rules_reinstalled_total.",
        (),
        one(lambda seen: seen.situation.rules_reinstalled),
    ),
    gauge(
        "nfmasq_config_last_reload_successful",
        "1 when the configuration read last is in force, 0 when it was refused.",
        (),
        one(lambda seen: float(seen.situation.reload_successful)),
    ),
    gauge(
        "nfmasq_degraded",
        "1 while a problem keeps the daemon from translating all traffic; `nfmasq status` names it.",
        (),
        one(lambda seen: float(bool(seen.situation.problems))),
    ),
    gauge(
        "nfmasq_start_time_seconds",
        "When the daemon started, seconds of the epoch.",
        (),
        one(lambda seen: seen.started),
    ),
)


class Collector(BaseCollector):
    """Reads a running daemon at scrape."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: so registering does not scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families, from one snapshot of each source."""
        return families(METRICS, scrape(self._running))


def registry(running: Running) -> CollectorRegistry:
    """A registry of our own, with the process's memory, CPU and descriptors as well."""
    own = CollectorRegistry()
    own.register(Collector(running))
    ProcessCollector(registry=own)
    return own

"""The status: the daemon at one moment, for the command line and the page."""

import os
from datetime import UTC, datetime

from nfmasq import __version__
from nfmasq._fastpath import Gauges
from nfmasq.control.running import Running
from nfmasq.control.schemas import SCHEMA, Ports, QueueStatus, Status
from nfmasq.core.policy import TRANSPORTS
from nfmasq.machine.queues import KernelQueue, shown_queues, together

DIRECTIONS = ("outbound", "inbound", "hairpin")
"""The directions of `Counters`, in the order of their index."""


def by_protocol(numbers: tuple[int, ...]) -> dict[str, int]:
    """Numbers indexed as TRANSPORTS, by name."""
    return dict(zip(TRANSPORTS, numbers, strict=True))


def by_direction(numbers: tuple[tuple[int, ...], ...]) -> dict[str, dict[str, int]]:
    """Numbers indexed [direction][protocol], by names."""
    return {name: by_protocol(row) for name, row in zip(DIRECTIONS, numbers, strict=True)}


def seen_by_kernel() -> dict[int, KernelQueue]:
    """The kernel's numbers of the queues; empty when it shows none."""
    return shown_queues()


def status(running: Running) -> Status:
    """The status of a running daemon. Degraded: a problem keeps it from translating all traffic."""
    situation = running.situation()
    counters = running.table.counters()
    gauges = running.table.gauges()
    return {
        "schema": SCHEMA,
        "version": __version__,
        "pid": os.getpid(),
        "started": datetime.fromtimestamp(running.started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "uptime_s": running.uptime_s,
        "state": "degraded" if situation.problems else "ok",
        "problems": list(situation.problems),
        "reasons": list(situation.problems),
        "warnings": list(situation.warnings),
        "external_interface": situation.external_interface,
        "external_addresses": [str(address) for address in situation.external_addresses],
        "address_changes": situation.address_changes,
        "internal_interfaces": list(situation.internal_interfaces),
        "internal_networks": [str(network) for network in situation.internal_networks],
        "diversion": situation.diversion,
        "rules": {
            "in_place": situation.rules_in_place,
            "reinstalled": situation.rules_reinstalled,
            "restored": situation.rules_reinstalled,
        },
        "sessions": by_protocol(gauges.sessions),
        "mappings": by_protocol(gauges.mappings),
        "ports": _ports(gauges),
        "packets": by_direction(counters.packets),
        "bytes": by_direction(counters.bytes),
        "dropped": sum(counters.dropped),
        "queues": _queues(running),
        "recovered_sessions": running.table.recovered,
        "memory_bytes": gauges.memory,
    }


def _ports(gauges: Gauges) -> dict[str, Ports]:
    pairs = zip(TRANSPORTS, gauges.ports_in_use, gauges.ports_capacity, strict=True)
    return {name: {"in_use": in_use, "capacity": capacity} for name, in_use, capacity in pairs}


def _queues(running: Running) -> list[QueueStatus]:
    kernel = seen_by_kernel()
    rows: list[QueueStatus] = []
    for worker in running.workers:
        own, seen = worker.counters(), together(kernel, worker.numbers)
        rows.append(
            {
                "queue": worker.number,
                "last": worker.numbers[-1],
                "packets": own.packets,
                "batches": own.batches,
                "lost": own.lost,
                "overruns": own.overruns,
                "rejected": own.refused,
                "refused": own.refused,
                "waiting": seen.waiting,
                "dropped": seen.dropped + seen.dropped_at_socket,
            }
        )
    return rows

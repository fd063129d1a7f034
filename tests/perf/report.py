"""What came out, for programs: everything, in base units."""

from dataclasses import asdict

from nfmasq.bench import report
from perf.helped import as_data
from perf.outcome import Outcome
from perf.targets import judge


def as_json(outcome: Outcome) -> dict[str, object]:
    """What `nfmasq bench --json` says, and memory in bytes, times in seconds, instructions a packet."""
    results, memory = outcome.results, outcome.memory
    return report.as_json(outcome.plan, results, judge(outcome)) | {
        "memory": {
            "idle_bytes": memory.idle,
            "table": asdict(memory.table) if memory.table else None,
            "tables": [asdict(cost) for cost in outcome.curve],
        },
        "instructions": asdict(outcome.counts) if outcome.counts else None,
        "helpers": {
            "cost": asdict(outcome.helper) if outcome.helper else None,
            "neighbours": as_data(outcome.neighbours) if outcome.neighbours else None,
        },
        "looking": asdict(outcome.looking) if outcome.looking else None,
        "notes": [*results.notes(), *outcome.notes],
    }

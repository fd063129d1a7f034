"""The results for programs: everything, in base units."""

import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict

from nfmasq.bench.results import AGAINST, Results
from nfmasq.bench.rounds import Plan
from nfmasq.bench.targets import Judgement


def as_json(plan: Plan, results: Results, judgements: Iterable[Judgement]) -> dict[str, object]:
    """Packets, bits and connections a second, seconds, bytes; a reading that failed is null."""
    return {
        "schema": 1,
        "machine": machine(),
        "method": {
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "workers": plan.workers,
            "queues": plan.workers,  # the older name
            "senders": plan.senders,
        },
        "figures": [
            {
                "figure": figure.name,
                "variant": variant.name,
                "median": results.median(figure, variant),
                "rounds": results.rounds(figure, variant),
                **results.extra(figure, variant),
            }
            for figure in results.figures
            for variant in results.variants
        ],
        "ratios": [
            {"figure": figure.name, "against": against.name, **asdict(found)}
            for figure in results.figures
            for against in AGAINST
            if (found := results.ratio(figure, against)) is not None
        ],
        "targets": [_target(judgement) for judgement in judgements],
        "counted": results.counted,
        "skipped": results.skipped,
        "notes": results.notes(),
    }


def machine() -> dict[str, object]:
    """The machine that was measured."""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """The processor's name; its architecture where it has none."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def _target(judgement: Judgement) -> dict[str, object]:
    return {
        "figure": judgement.name,
        "variant": judgement.ours.name,
        "against": judgement.against.name if judgement.against else None,
        "at_least" if judgement.more_is_better else "at_most": judgement.bound,
        "value": judgement.value,
        "verdict": judgement.mark,
    }

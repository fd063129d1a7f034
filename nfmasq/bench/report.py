"""What came out, for programs and for people. The JSON holds everything; the tables show what matters."""

import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import click

from nfmasq.bench.memory import MOST_IDLE_MB, MOST_SESSION_BYTES, TableCost
from nfmasq.bench.reading import Figure
from nfmasq.bench.results import AGAINST, TARGETS, Results, Target, mark, reached
from nfmasq.bench.rounds import Plan
from nfmasq.bench.variants import NFMASQ

MB = 1e6


@dataclass(frozen=True)
class Memory:
    """idle: bytes the daemon holds; table: what a full table costs. None: not measured."""

    idle: int | None = None
    table: TableCost | None = None


def as_json(plan: Plan, results: Results, memory: Memory) -> dict[str, object]:
    """Everything, in base units: packets, bits and connections a second, seconds, bytes."""
    return {
        "schema": 1,
        "machine": _machine(),
        "method": {
            "rounds": plan.rounds,
            "seconds": plan.seconds,
            "queues": plan.queues,
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
        "targets": [*_targets_as_json(results), *_memory_targets(memory)],
        "memory": {
            "idle_bytes": memory.idle,
            "table": asdict(memory.table) if memory.table else None,
        },
        "counted": results.counted,
        "notes": results.notes(),
    }


def as_text(plan: Plan, results: Results, memory: Memory) -> Iterator[str]:
    """Tables for a terminal, line by line."""
    machine = _machine()
    yield (
        f"{plan.rounds} rounds of {plan.seconds:g} s a measurement, interleaved; medians. "
        f"{machine['kernel']}, {machine['processors']} processors; {plan.queues} queues, "
        f"{plan.senders} senders of small packets."
    )
    if results.figures:
        yield ""
        yield from _figures(results)
        yield from _ratios(results)
    yield from _memory(memory)
    yield from _targets(results, memory)
    for note in results.notes():
        yield f"note: {note}"


def _machine() -> dict[str, object]:
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


def _figures(results: Results) -> Iterator[str]:
    rows = [["", *(variant.title for variant in results.variants), ""]]
    for figure in results.figures:
        medians = (results.median(figure, variant) for variant in results.variants)
        rows.append([figure.title, *(_number(value, figure) for value in medians), figure.unit])
    yield from _columns(rows)


def _number(value: float | None, figure: Figure) -> str:
    return "-" if value is None else digits(value / figure.scale)


def digits(number: float) -> str:
    """Three digits or all before the point: 0.0123, 1.23, 12.3, 1234."""
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _ratios(results: Results) -> Iterator[str]:
    against = [variant for variant in AGAINST if variant in results.variants]
    if NFMASQ not in results.variants or not against:
        return
    yield ""
    rows = [["nfmasq against", *(variant.title for variant in against)]]
    for figure in results.figures:
        ratios = (results.ratio(figure, variant) for variant in against)
        rows.append([figure.title, *("-" if found is None else digits(found.value) for found in ratios)])
    yield from _columns(rows)


def _memory(memory: Memory) -> Iterator[str]:
    if memory.idle is not None:
        yield f"\nresident memory, idle: {memory.idle / MB:.1f} MB"
    if memory.table is not None:
        cost = memory.table
        yield f"\na table of {cost.sessions} sessions: {cost.bytes_per_session:.0f} bytes a session"
        yield (
            f"one call of Table.translate: {cost.call_ns:.0f} ns for nothing, {cost.new_ns:.0f} ns for a new "
            f"session, {cost.established_few_ns:.0f} ns for one of a thousand sessions, "
            f"{cost.established_many_ns:.0f} ns for one of {cost.sessions}"
        )


def _targets_as_json(results: Results) -> Iterator[dict[str, object]]:
    for target in TARGETS:
        found = results.ratio(target.figure, target.against)
        if found is not None:
            yield {
                "figure": target.figure.name,
                "against": target.against.name,
                _word(target): target.bound,
                "ratio": found.value,
                "verdict": mark(reached(found.value, target.bound, target.figure.more_is_better)),
            }


def _word(target: Target) -> str:
    return "at_least" if target.figure.more_is_better else "at_most"


def _memory_targets(memory: Memory) -> Iterator[dict[str, object]]:
    idle = None if memory.idle is None else memory.idle / MB
    session = None if memory.table is None else memory.table.bytes_per_session
    for name, value, bound in (
        ("idle_megabytes", idle, MOST_IDLE_MB),
        ("bytes_per_session", session, MOST_SESSION_BYTES),
    ):
        if value is not None:
            verdict = mark(reached(value, bound, more_is_better=False))
            yield {"figure": name, "at_most": bound, "value": value, "verdict": verdict}


def _targets(results: Results, memory: Memory) -> Iterator[str]:
    rows = []
    for target in TARGETS:
        found = results.ratio(target.figure, target.against)
        if found is None:
            continue
        more = target.figure.more_is_better
        rows.append(
            [
                mark(reached(found.value, target.bound, more)),
                f"{target.figure.title} / {target.against.title}",
                digits(found.value),
                f"{'at least' if more else 'at most'} {target.bound:g}",
                f"rounds {digits(found.lowest)} to {digits(found.highest)}",
            ]
        )
    for one in _memory_targets(memory):
        title = str(one["figure"]).replace("_", " ")
        rows.append(
            [str(one["verdict"]), title, digits(float(str(one["value"]))), f"at most {one['at_most']:g}", ""]
        )
    if rows:
        yield "\ntargets"
        for row, line in zip(rows, _columns(rows, left=(0, 1, 3, 4)), strict=True):
            yield click.style(row[0].ljust(5), fg="green" if row[0] == "ok" else "red") + line[5:]


def _columns(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()

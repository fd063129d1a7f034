"""Plots as SVG, written by hand: bars side by side, and lines over a logarithmic axis.

They need no library and no script, are legible on light and dark pages, and two runs differ only in their
figures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 720
LABELS = 170
VALUES = 90
ROW = 26
TOP = 40

COLOURS = ("#2f6fb0", "#c2632a", "#3f8f4f", "#8a5aa8")

_STYLE = (
    "text{font:13px sans-serif;fill:#24292f}.title{font-weight:bold}.axis{stroke:#8c959f}"
    ".grid{stroke:#8c959f;stroke-opacity:.3}.spread{stroke:#24292f;stroke-width:1.5}.faint{fill:#6e7781}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.spread{stroke:#e6edf3}.faint{fill:#9198a1}}"
)

Point = tuple[float, float]


@dataclass(frozen=True)
class Bar:
    """A value, its text, and between which values its rounds lie; value None: the text says why."""

    label: str
    value: float | None
    text: str
    spread: tuple[float, float] | None = None
    ours: bool = False


def bars(title: str, rows: Sequence[Bar]) -> str:
    """One bar a row, all from zero on one scale."""
    most = max([bar.spread[1] if bar.spread else bar.value or 0.0 for bar in rows], default=0.0) or 1.0
    room = WIDTH - LABELS - VALUES
    parts = []
    for number, bar in enumerate(rows):
        y = TOP + number * ROW
        parts.append(_text(LABELS - 8, y + 14, bar.label, anchor="end"))
        if bar.value is None:
            parts.append(_text(LABELS, y + 14, bar.text, style="faint"))
            continue
        length = bar.value / most * room
        colour = COLOURS[0 if bar.ours else 2]
        box = f'x="{LABELS}" y="{y}" width="{length:.1f}" height="18"'
        parts.append(f'<rect {box} fill="{colour}" fill-opacity=".75"/>')
        end = length
        if bar.spread:
            low, high = (value / most * room for value in bar.spread)
            end = max(end, high)
            parts.append(_line((LABELS + low, y + 9), (LABELS + high, y + 9), "spread"))
        parts.append(_text(LABELS + end + 6, y + 14, bar.text))
    return _image(title, TOP + len(rows) * ROW + 8, parts)


def lines(title: str, across: str, series: Mapping[str, Sequence[Point]], *, height: int = 320) -> str:
    """Lines from (x, y) to (x, y); x is logarithmic and above zero, y begins at zero."""
    xs = [x for points in series.values() for x, _ in points]
    most = _round_up(max((y for points in series.values() for _, y in points), default=1.0))
    left, right, low = 60, WIDTH - 50, height - 50
    first, last = math.log10(min(xs)), math.log10(max(xs))

    def place(point: Point) -> Point:
        part = (math.log10(point[0]) - first) / ((last - first) or 1.0)
        return left + part * (right - left), low - point[1] / most * (low - TOP - 20)

    parts = []
    for step in range(5):
        value = most * step / 4
        y = place((min(xs), value))[1]
        parts += [_line((left, y), (right, y), "grid"), _text(left - 6, y + 4, f"{value:.4g}", anchor="end")]
    for x in sorted(set(xs)):
        parts.append(_text(place((x, 0))[0], low + 18, f"{x:,.0f}", anchor="middle"))
    parts.append(_text((left + right) / 2, low + 38, across, anchor="middle", style="faint"))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, points))
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in map(place, points)]
        at = left + number * 200
        parts.append(f'<rect x="{at}" y="{TOP - 8}" width="12" height="12" fill="{colour}"/>')
        parts.append(_text(at + 18, TOP + 3, name))
    return _image(title, height, parts)


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 8 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value * 0.999)


def _image(title: str, height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    named = f"<title>{escape(title)}</title><style>{_STYLE}</style>"
    return "\n".join([head, named, _text(8, 20, title, style="title"), *parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, anchor: str = "start", style: str = "") -> str:
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>'


def _line(start: Point, end: Point, style: str) -> str:
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" class="{style}"/>'
    )

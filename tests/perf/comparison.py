"""Ways of treating packets compared, in Markdown tables and plots: a part of the report."""

from collections.abc import Iterator, Sequence

from nfmasq.bench.reading import Figure, digits
from nfmasq.bench.results import Results
from nfmasq.bench.variants import NFMASQ, Variant
from perf.markdown import Plots, table
from perf.plots import Bar, bars

NOTHING = "-"
"""Of a figure that a way does not have."""
LEFT_OUT = "left out"
"""Of a way that could not be had; the report's notes say why."""


class Comparison:
    """The tables and plots of some results."""

    def __init__(self, results: Results, plots: Plots) -> None:
        self._results = results
        self._plots = plots

    def by_variant(self, figures: Sequence[Figure], variants: Sequence[Variant]) -> Iterator[str]:
        """A row for each way that has one of the figures, or a reason why not; and a plot of every figure."""
        cells = {variant: [self._cell(figure, variant) for figure in figures] for variant in variants}
        taken = [variant for variant in variants if set(cells[variant]) != {NOTHING}]
        rows = [[variant.title, *cells[variant]] for variant in taken]
        yield from table([["", *(figure.heading for figure in figures)], *rows])
        for figure in figures:
            shown = [self._bar(figure, variant) for variant in taken]
            yield from self._plots.add(figure.name, bars(figure.heading, shown), figure.heading)

    def by_figure(self, against: Variant, variants: Sequence[Variant]) -> Iterator[str]:
        """A row for each figure, with the ratio of every way to the one `against` which they stand."""
        ratios = (f"{variant.title} / {against.title}" for variant in variants)
        rows = [["", *(variant.title for variant in (against, *variants)), *ratios]]
        for figure in self._results.figures:
            found = [self._results.ratio(figure, against, variant) for variant in variants]
            if any(found):
                cells = [self._cell(figure, variant) for variant in (against, *variants)]
                shown = (digits(ratio.value) if ratio else NOTHING for ratio in found)
                rows.append([figure.heading, *cells, *shown])
        yield from table(rows)

    def _cell(self, figure: Figure, variant: Variant) -> str:
        """Median, lowest and highest, or why there is none."""
        value = self._results.median(figure, variant)
        if value is None:
            return self._why(figure, variant)
        low, high = self._results.spread(figure, variant)
        shown = digits(value / figure.scale)
        if low == high:
            return shown
        return f"{shown} ({digits(low / figure.scale)} to {digits(high / figure.scale)})"

    def _bar(self, figure: Figure, variant: Variant) -> Bar:
        value = self._results.median(figure, variant)
        if value is None:
            return Bar(variant.title, None, self._why(figure, variant))
        low, high = self._results.spread(figure, variant)
        scale = figure.scale
        text = digits(value / scale)
        return Bar(variant.title, value / scale, text, (low / scale, high / scale), variant is NFMASQ)

    def _why(self, figure: Figure, variant: Variant) -> str:
        if variant.name in self._results.skipped:
            return LEFT_OUT
        return self._results.why.get((figure.name, variant.name), NOTHING)

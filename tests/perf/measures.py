"""The measures that are taken for a report, and when asked for."""

from nfmasq.bench import datagrams
from nfmasq.bench.measures import MEASURES, Measure
from nfmasq.bench.variants import FLOOR, MASQUERADE, NFMASQ, PLAIN, REWRITING_FLOOR, SCAPY
from perf import flooded, overload
from perf.variants import CALLBACK, LOOP

ONE_BY_ONE = (FLOOR, REWRITING_FLOOR, NFMASQ, LOOP, CALLBACK, SCAPY)
"""Those that a queue stands before, in which packets wait or are lost."""

EXTRA = (
    Measure("small-packets-many", datagrams.MANY_FIGURES, datagrams.take_many),
    Measure("overload", overload.FIGURES, overload.take, only=ONE_BY_ONE, lasts=5),
    Measure("beside-flood", flooded.FIGURES, flooded.take, only=(PLAIN, MASQUERADE, *ONE_BY_ONE)),
)
"""Taken for a report, and when asked for."""

ALL = (*MEASURES, *EXTRA)

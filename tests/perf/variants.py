"""The ways that are measured for a report, and when asked for."""

from functools import partial

from nfmasq.bench.variants import NFMASQ, QUEUE_PROGRAM, VARIANTS, Tap, Variant
from nfmasq.core.queue_socket import QUEUES_EACH
from perf import taps
from perf.filling import SESSIONS
from perf.tayga import TAYGA_EXTERNAL

MILLION = Variant(
    "nfmasq-million", "nfmasq, 1 M", "nfmasq with a million other sessions in its table",
    translates=True, program="perf.filled", arguments=(str(SESSIONS),), counts=True, optional=True,
)  # fmt: skip
WORKERS = tuple(
    Variant(
        f"nfmasq-{count}", f"nfmasq, {title}", f"nfmasq with {title}, a thread and {QUEUES_EACH} queues each",
        translates=True, program=QUEUE_PROGRAM, arguments=NFMASQ.arguments, counts=True, workers=count,
        optional=True,
    )
    for count, title in ((1, "1 worker"), (2, "2 workers"), (4, "4 workers"))
)  # fmt: skip
ONE_WORKER, TWO_WORKERS, _ = WORKERS
LOOP = Variant(
    "libnetfilter-queue", "libnetfilter_queue", "a loop in C that accepts a packet at a time",
    translates=False, program="perf.loop", optional=True,
)  # fmt: skip
CALLBACK = Variant(
    "callback", "callback", "a NetfilterQueue callback in Python that accepts each packet",
    translates=False, program="perf.callback", optional=True,
)  # fmt: skip
TAYGA = Variant(
    "tayga", "tayga", "a stateless translator between IPv4 and IPv6, twice: to IPv6 and back",
    translates=True, program="perf.tayga", external=TAYGA_EXTERNAL, optional=True,
)  # fmt: skip


def _tapped(name: str, about: str) -> Variant:
    tap = Tap(taps.DEVICE, taps.CLIENT, partial(taps.start, name), taps.next_hop)
    return Variant(name, name, about, translates=True, tap=tap, optional=True)


SLIRP4NETNS = _tapped("slirp4netns", "sockets of its own for what a tap device brings, as containers have it")
PASTA = _tapped("pasta", "the same, as newer containers have it")

EXTRA = (*WORKERS, MILLION, LOOP, CALLBACK, SLIRP4NETNS, PASTA, TAYGA)
"""Measured for a report, and when asked for."""

ALL = (*VARIANTS, *EXTRA)

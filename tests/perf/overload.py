"""Overload: the packets delivered when the router is offered its capacity, and two and three times as much.

Small packets of few flows are injected on the router itself (`injector`), whose program has a share of one
processor only (`narrow`): otherwise the machine could not offer several times its capacity. The capacity is
sought first: the rate offered rises by a quarter until the router no longer delivers nearly all packets. Then
the router is offered the capacity and its multiples. Offered packets are counted by the router's IP layer,
delivered ones at the server. A multiple that the machine cannot offer has no figure. `kept` is the least rate
delivered beyond the capacity; `extra` holds how far beyond the machine got.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from nfmasq.bench.bed import SERVER, Bed
from nfmasq.bench.datagrams import DISCARD, PAYLOAD, discarding
from nfmasq.bench.programs import Program, kill, start
from nfmasq.bench.reading import BenchError, Figure, Reading
from nfmasq.bench.results import Results
from nfmasq.lab.packets import udp
from nfmasq.lab.wire import hardware_address
from perf.injector import FIRST_PORT, WHOLE
from perf.narrow import narrowed

TIMES = (1, 2, 3)
GOODPUT = {
    times: Figure(f"overload-{times}", f"delivered at {times} x capacity", "kpps", 1e3) for times in TIMES
}
KEPT = Figure("overload-kept", "least delivered in overload / peak", "")
FIGURES = (*GOODPUT.values(), KEPT)

ALL = 0.97
"""A router that delivers this much of what it is offered is not beyond its capacity."""
NEAR = 0.9
ENOUGH = 0.8
"""So near to what was meant is aimed at; so much of it counts as that multiple."""

_STEP = 1.25
_SEARCH_S = 0.25
_SETTLE_S = 0.15
_TRIES = 5


class Offered:
    """Packets on offer to a bed's router; what it delivers of them."""

    def __init__(self, bed: Bed, injector: Program) -> None:
        self._bed = bed
        self._injector = injector
        self._passing = WHOLE
        self.peak = 0.0
        """The most it has delivered a second so far."""

    def measure(self, passing: int, seconds: float) -> tuple[float, float]:
        """Packets a second offered and delivered, if so many of WHOLE are let pass."""
        self._say(passing)
        time.sleep(_SETTLE_S)
        offered, offered_at = self._bed.received_by_router()
        delivered, delivered_at = self._bed.arrived()
        time.sleep(seconds)
        offered_then, offered_then_at = self._bed.received_by_router()
        delivered_then, delivered_then_at = self._bed.arrived()
        self._say(0)
        self._bed.drain()
        rates = (
            (offered_then - offered) / (offered_then_at - offered_at),
            (delivered_then - delivered) / (delivered_then_at - delivered_at),
        )
        self.peak = max(self.peak, rates[1])
        return rates

    def _say(self, passing: int) -> None:
        assert self._injector.stdin is not None
        if self._injector.poll() is not None:
            raise BenchError("the injector has ended")
        self._injector.stdin.write(f"{passing}\n")
        self._injector.stdin.flush()

    def at(self, rate: float, seconds: float) -> tuple[float, float]:
        """Packets a second offered and delivered where about so many are offered."""
        for _ in range(_TRIES):
            offered, delivered = self.measure(self._passing, _SEARCH_S)
            if not offered:
                raise BenchError("nothing could be offered: injecting packets takes Linux 5.18")
            if NEAR <= offered / rate <= 1 / NEAR or (offered < rate and self._passing == WHOLE):
                break
            self._passing = max(1, min(WHOLE, round(self._passing * rate / offered)))
        return self.measure(self._passing, seconds) if seconds > _SEARCH_S else (offered, delivered)


def take(bed: Bed, seconds: float) -> Reading:
    """Find the capacity and go beyond it."""
    with (
        discarding(bed, bed.server, "--dport", DISCARD),
        narrowed(bed) as processor,
        _injecting(bed, processor) as offer,
    ):
        capacity = _capacity(offer)
        values, extra = {}, {"capacity": capacity}
        rates = {times: offer.at(times * capacity, seconds) for times in TIMES}
    for times, (offered, arrived) in rates.items():
        if offered >= ENOUGH * times * capacity:
            values[GOODPUT[times].name] = arrived
    delivered = [rates[times][1] for times in TIMES]
    values[KEPT.name] = min(delivered[1:]) / max(delivered)
    extra["most offered"] = max(offered for offered, _ in rates.values()) / capacity
    return Reading(values, extra)


def notes(results: Results) -> list[str]:
    """A note for each variant that was not offered as many times its capacity as it should have been."""
    most = ((variant, results.extra(KEPT, variant).get("most offered")) for variant in results.variants)
    return [
        f"{variant.title}: the machine could offer only {times:.2g} times its capacity"
        for variant, times in most
        if times is not None and times < ENOUGH * TIMES[-1]
    ]


def _capacity(offer: Offered) -> float:
    """The most that is delivered when not much more is offered."""
    most, delivered = offer.measure(WHOLE, _SEARCH_S)
    rate = delivered
    while rate < most:
        offered, delivered = offer.at(rate, _SEARCH_S)
        if delivered < ALL * offered:
            break
        rate *= _STEP
    return offer.peak


@contextmanager
def _injecting(bed: Bed, processor: int) -> Iterator[Offered]:
    router = hardware_address(bed.router, "lan0")
    client = hardware_address(bed.client, "eth0")
    packet = udp((bed.client_address, FIRST_PORT), (SERVER, DISCARD), bytes(PAYLOAD))
    frame = router + client + b"\x08\x00" + packet
    injector = start(bed.router, "perf.injector", "lan0", frame.hex())
    os.sched_setaffinity(injector.pid, {processor})
    try:
        yield Offered(bed, injector)
    finally:
        kill(injector)

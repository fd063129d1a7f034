"""Two internal hosts that meet by their external endpoints: for the tests of hairpinned sessions.

OTHER_CLIENT (side 0) calls; CLIENT (side 1) serves by a forward.
"""

from typing import Any

from support.router import OTHER_CLIENT

from helpers.engine.bed import CLIENT, NEAR_PORT, PORT, Bed, Connection
from helpers.engine.ends import TwoEnds
from nfmasq._fastpath import SetAside
from nfmasq.helpers.kit.base import Endpoint, Helper


class CrossingBed(Bed):
    """As Bed; packets come from inside and go to an external address."""

    def __init__(self, *helpers: Helper, **changes: Any) -> None:
        super().__init__(*helpers, forward=True, device=7, **changes)

    def send(self, packet: bytes, *, inbound: bool = False) -> list[bytes]:
        reason, sent = self.table.hairpin(packet)
        if reason:
            return []
        aside = self.table.next_set_aside(0)
        return [sent] if aside is None else self.answered(aside)

    def answered(self, aside: SetAside) -> list[bytes]:
        own, *more = super().answered(aside) or [b""]
        return [self.second_pass(own), *more] if own else []

    def second_pass(self, packet: bytes) -> bytes:
        """What the kernel's next hook makes of a packet; what we send ourselves needs none."""
        reason, sent = self.table.translate(packet, mark=self.rules.mark)
        assert not reason
        return sent


class Crossing(Connection):
    """A connection between the two."""

    def __init__(self, bed: Bed, numbers: tuple[int, int] = (7, 1007), near: int = NEAR_PORT) -> None:
        super().__init__(bed, numbers)
        self.forwarded = False
        self.near, self.far = (OTHER_CLIENT, near), (bed.rules.addresses[0], PORT)

    def way(self, side: int) -> tuple[Endpoint, Endpoint]:
        return (self.near, self.far) if side == 0 else ((CLIENT, PORT), self.external)


class CrossingEnds(TwoEnds):
    """As TwoEnds."""

    bed: CrossingBed

    def into_the_core(self, side: int, packet: bytes) -> tuple[str, bytes]:
        return self.bed.table.hairpin(packet)

    def answer(self) -> None:
        side, aside = self.waiting.pop(0)
        sent = self.bed.answered(aside)
        assert sent
        for each in sent:
            self.note(side, aside.packet, each)

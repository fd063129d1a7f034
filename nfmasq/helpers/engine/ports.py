"""Expectations for one found endpoint: a port, or several ports in a row.

Nothing is stored: each expectation lives in the core until its session begins, or it ends before.
"""

from collections.abc import Iterator

from nfmasq.core.protocols import TRANSPORT_NUMBERS
from nfmasq.core.rows import ExpectationRefused, Expected
from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.kit.base import Found, NotActedOn, Session

MOST_PATIENCE_S = 600
"""The longest time an expectation may wait, whatever its helper asks for."""
TRIES = 4
"""Rows that are tried, until there is no room."""


class Ports:
    """Asks the core for expectations. seconds: how long one waits where its helper says nothing else."""

    def __init__(self, core: ExpectingCore, seconds: int) -> None:
        self.seconds = seconds
        self._core = core

    def expect(self, control: Name, session: Session, found: Found) -> list[Expected]:
        """An expectation for each port that is meant, in order.

        Raises NotActedOn: the core has no room, or no row of external ports was free.
        """
        if found.consecutive == 1:
            return [self._expect(control, session, found)]
        for first in self._first_ports(control, session, found):
            row: list[Expected] = []
            try:
                for nth in range(found.consecutive):
                    row.append(self._expect(control, session, found, nth, first + nth))
            except NotActedOn:
                self._withdraw(row)
            else:
                return row
        raise NotActedOn("no_room")

    def _first_ports(self, control: Name, session: Session, found: Found) -> Iterator[int]:
        """First ports of rows that are free: one, and another where a port of it has gone meanwhile."""
        for _ in range(TRIES):
            first = self._core.free_row(
                *control,
                TRANSPORT_NUMBERS[found.transport],
                (session.internal[0], found.port),
                None if found.anyone else session.remote[0],
                found.from_port,
                found.consecutive,
            )
            if first == 0:
                return
            yield first

    def _expect(
        self, control: Name, session: Session, found: Found, nth: int = 0, external_port: int = 0
    ) -> Expected:
        try:
            return self._core.expect(
                *control,
                TRANSPORT_NUMBERS[found.transport],
                (session.internal[0], found.port + nth),
                None if found.anyone else session.remote[0],
                found.from_port,
                self._patience(found.patience_s) if found.patience_s else self.seconds,
                external_port,
            )
        except ExpectationRefused as why:
            raise NotActedOn(str(why)) from None

    def _patience(self, wanted_s: int) -> int:
        return max(self.seconds, min(wanted_s, MOST_PATIENCE_S))

    def _withdraw(self, row: list[Expected]) -> None:
        """End expectations of which nobody has heard: their ports are free immediately."""
        for each in row:
            self._core.withdraw(each.session, each.serial, told=False)

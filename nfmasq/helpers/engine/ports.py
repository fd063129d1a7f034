"""Expectations for one found endpoint: a port, or several ports in a row.

Nothing is stored: each expectation lives in the core until its session begins, or it ends before.
"""

from collections.abc import Container, Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.core.protocols import GRE, INWARD, OUTWARD, TRANSPORT_NUMBERS
from nfmasq.core.rows import ExpectationRefused, Expected
from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.kit.base import SENT, Admitted, Found, NotActedOn, Session
from nfmasq.helpers.kit.numbers import LARGEST_PORT

LEAST_PORT = 1024
PRIVILEGED = range(512, LEAST_PORT)
"""Ports that rcmd uses; those below are of services."""
MOST_IN_A_ROW = 8
MOST_PATIENCE_S = 600
"""The longest time an expectation may wait, whatever its helper asks for."""
MOST_LIFETIME_S = 7200
"""The longest time for which an expectation is kept at a helper's wish."""
TRIES = 4
"""Rows that are tried: a packet may take one of the ports meanwhile."""

KEYED = {"gre": INWARD, SENT: OUTWARD}
"""Transports whose sessions have a key in place of a port, and what the core has in place of a remote one."""


class Wish(NamedTuple):
    """What is asked of the core. reader: the number of the helper that reads the sessions to come; 0: none.

    external_port: the one it must be (of a row, the first); 0: any. patience_s: seconds for which it waits.
    standing: expectations that stand already, and are not withdrawn.
    """

    control: Name
    session: Session
    found: Found
    remote: IPv4Address | None
    reader: int
    external_port: int
    patience_s: int
    standing: Container[Name] = ()


class Ports:
    """Asks the core for expectations. seconds: how long one waits where its helper says nothing else."""

    def __init__(self, core: ExpectingCore, seconds: int) -> None:
        self.seconds = seconds
        self._core = core

    def expect(
        self,
        control: Name,
        session: Session,
        found: Found,
        *,
        reader: int = 0,
        wanted: int = 0,
        standing: Container[Name] = (),
    ) -> list[Expected]:
        """An expectation for each port that is meant, in order.

        reader, wanted, standing: as reader, external_port and standing in Wish.

        They are in a row, or each is by itself where none is free and `apart` can say so. Raises NotActedOn:
        the core has no room, or no such ports are free.
        """
        remote = None if found.anyone else session.remote[0]
        wish = Wish(control, session, found, remote, reader, wanted, self._patience(found), standing)
        if found.consecutive == 1:
            return [self._ask(wish)]
        for first in [wanted] if wanted else self._first_ports(wish):
            row: list[Expected] = []
            try:
                for nth in range(found.consecutive):
                    row.append(self._ask(wish, nth, first + nth))
            except NotActedOn:
                self._withdraw(row, standing)
            else:
                return row
        if found.apart is None or wanted:
            raise NotActedOn("no_room")
        return self._apart(wish)

    def _apart(self, wish: Wish) -> list[Expected]:
        """An expectation for each port, at whatever external port it has or gets. Raises NotActedOn."""
        row: list[Expected] = []
        try:
            for nth in range(wish.found.consecutive):
                row.append(self._ask(wish, nth))
        except NotActedOn:
            self._withdraw(row, wish.standing)
            raise
        return row

    def admit(
        self, control: Name, session: Session, admitted: Admitted, external_port: int, patience_s: int = 0
    ) -> Expected:
        """An expectation at an external port of this session's own, for one more remote host."""
        found = Found(
            0, 0, None, admitted.port, None, admitted.transport, from_port=admitted.from_port,
            patience_s=patience_s,
        )  # fmt: skip
        patience_s = self._patience(found)
        return self._ask(Wish(control, session, found, admitted.remote, 0, external_port, patience_s))

    def _first_ports(self, wish: Wish) -> Iterator[int]:
        """First ports of rows that are free: one, and another where a port of it has gone meanwhile.

        An endpoint with a mapping keeps its port. Where that is the odd port of a pair, the text names both
        ports if it can. A receiver may take the even port below for the first one (RFC 3550 section 11).
        """
        for _ in range(TRIES):
            first = self._core.find_row(
                *wish.control,
                TRANSPORT_NUMBERS[wish.found.transport],
                (wish.session.internal[0], wish.found.port),
                wish.remote,
                wish.found.from_port,
                wish.found.consecutive,
            )
            is_odd = wish.found.consecutive == 2 and first % 2 == 1
            if first == 0 or (is_odd and wish.found.apart is not None):
                return
            yield first

    def _ask(self, wish: Wish, nth: int = 0, external_port: int = 0) -> Expected:
        """An expectation for the nth port of a row. external_port: 0 is the wish's. Raises NotActedOn."""
        found = wish.found
        wanted = external_port or wish.external_port
        try:
            made = self._core.expect(
                *wish.control,
                GRE if found.transport in KEYED else TRANSPORT_NUMBERS[found.transport],
                (wish.session.internal[0], found.port + nth),
                wish.remote,
                KEYED.get(found.transport, found.from_port),
                wish.patience_s,
                wanted,
                wish.reader,
            )
        except ExpectationRefused as why:
            raise NotActedOn(str(why)) from None
        is_other = wanted and made.external[1] != wanted
        if is_other or (found.privileged and made.external[1] >= LEAST_PORT):
            self._withdraw([made], wish.standing)
            raise NotActedOn("no_room")
        return made

    def _patience(self, found: Found) -> int:
        wanted = max(min(found.patience_s, MOST_PATIENCE_S), min(found.lifetime_s, MOST_LIFETIME_S))
        return max(self.seconds, wanted) if wanted else self.seconds

    def _withdraw(self, row: list[Expected], standing: Container[Name]) -> None:
        """End expectations of which nobody has heard: their ports are free immediately."""
        for each in row:
            if (each.session, each.serial) not in standing:
                self._core.withdraw(each.session, each.serial, told=False)


def require_sane(session: Session, found: Found) -> None:
    """Raise NotActedOn where no expectation may have the found port.

    A port below 1024 may be a service's. The session's own port is open to the other end already. A program
    that has such a port may announce another one, to the remote host alone. A key is for the remote host of
    this session, alone and by itself.
    """
    if not 1 <= found.consecutive <= MOST_IN_A_ROW:
        raise NotActedOn("not_allowed")
    if found.port + found.consecutive - 1 > LARGEST_PORT:
        raise NotActedOn("malformed")
    if found.transport not in TRANSPORT_NUMBERS:
        raise NotActedOn("not_allowed")
    if found.transport in KEYED and (found.anyone or found.consecutive != 1):
        raise NotActedOn("not_allowed")
    if found.privileged:
        if found.port not in PRIVILEGED or session.internal[1] >= LEAST_PORT or found.anyone:
            raise NotActedOn("not_allowed")
        return
    is_own = found.write is None and found.port == session.internal[1] and not found.anyone
    if found.transport in {"tcp", "udp"} and found.port < LEAST_PORT and not is_own:
        raise NotActedOn("privileged")

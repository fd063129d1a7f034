"""The registrations that a session brings: how long the session must live for them (RFC 3261 section 10).

What is stored: REGISTERs that wait for their answer, and until when each registration was granted, by
Call-ID. A phone with two lines has two. Who writes: REGISTER of the inside, and the registrar's answer to it.
What ends a registration: its time, or an answer without it. Past MOST_REGISTRATIONS the one that ends first
is forgotten, and past MOST_PENDING the oldest question.
"""

import time

from nfmasq.helpers.kit.base import Session, Side
from nfmasq.helpers.protocols.sip.addresses import Entry
from nfmasq.helpers.protocols.sip.message import Message
from nfmasq.helpers.protocols.sip.signalling import contacts_of

LONGEST_S = 7200
GRACE_S = 32
"""Seconds a registration is held beyond its time: as long as its renewal may be sent again (64 * T1)."""
MOST_REGISTRATIONS = 64
MOST_PENDING = 64


class Registrations:
    """Those of one session."""

    __slots__ = ("_pending", "_until")

    def __init__(self) -> None:
        self._pending: dict[tuple[int, int], bool | None] = {}
        """By Call-ID and CSeq: does it ask for a binding (True), or for its end? None: for neither."""
        self._until: dict[int, int] = {}
        """By Call-ID: the second of the clock at which it ends."""

    def hold_s(self, side: Side, message: Message, session: Session) -> int:
        """Seconds for which the session lives from now on; 0: this message changes nothing; 1: none is left.

        message: a REGISTER, or an answer to one. Raises NotActedOn("malformed").
        """
        transaction = message.call, message.sequence
        if side is Side.INSIDE and not message.status:
            self._ask(transaction, _asks(message))
        if side is Side.INSIDE or message.status < 200 or transaction not in self._pending:
            return 0
        asks = self._pending.pop(transaction)
        granted = _granted_s(message, session, asks) if message.status == 200 else None
        return 0 if granted is None else self._grant(message.call, granted, int(time.monotonic()))

    def _ask(self, transaction: tuple[int, int], asks: bool | None) -> None:
        self._pending.pop(transaction, None)
        while len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[transaction] = asks

    def _grant(self, name: int, seconds: int, now: int) -> int:
        self._until = {each: until for each, until in self._until.items() if until > now and each != name}
        if seconds:
            self._until[name] = now + seconds
        if len(self._until) > MOST_REGISTRATIONS:
            del self._until[min(self._until, key=self._until.__getitem__)]
        return max(self._until.values(), default=now + 1) - now


def _asks(message: Message) -> bool | None:
    """Does a REGISTER ask for a binding, or for its end? None: for neither."""
    if b"contact" not in message.headers:
        return None
    return any(_seconds(each, message, 1) for each in contacts_of(message))


def _granted_s(message: Message, session: Session, asks: bool | None) -> int | None:
    """Seconds for which a registrar's answer keeps the phone's contact; 0: it is gone; None: nothing is said.

    asks: as `_asks` of the question. A binding at another endpoint counts only for a phone that asked for
    one. The phone has learned another address, or the registrar writes a name. Otherwise the binding is
    another phone's.
    """
    ends = session.internal, session.external
    known, own = [], []
    for entry in contacts_of(message):
        seconds = _seconds(entry, message, 0)
        known.append(seconds)
        if entry.uri is not None and (entry.uri.host.address, entry.uri.host.port) in ends:
            own.append(seconds)
    if asks is None and not own:
        return None
    seconds = max(own or (known if asks else ()), default=0)
    return min(seconds, LONGEST_S) + GRACE_S if seconds else 0


def _seconds(entry: Entry, message: Message, default: int) -> int:
    """How long an entry lasts, or is asked to last."""
    text = entry.parameters.get(b"expires") or message.first(b"expires")
    if not text:
        return default
    return int(text) if text.isdigit() and len(text) <= 10 else 0

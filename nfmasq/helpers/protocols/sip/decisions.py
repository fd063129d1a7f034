"""Whether a message's own endpoint is translated in mode "full": as its registration or its dialog began.

What is stored: the phone (`phone`), and what the core keeps of the session. Who writes: messages of the
inside. What ends it: the session.

REGISTER with a contact decides anew: a phone that has learned its address registers that one instead. Another
message goes as its Call-ID went before. A request from outside, and the answer to it, go as the contact that
is called. A URI that leads through NATs by itself is never changed. The inside's first request of a dialog
decides by its own contact. What has not shown yet how it traverses NATs is left alone.
"""

from collections.abc import Sequence

from nfmasq.helpers.kit.base import Session
from nfmasq.helpers.protocols.sip.addresses import Entry, Uri
from nfmasq.helpers.protocols.sip.message import Message
from nfmasq.helpers.protocols.sip.phone import Phone, Socket
from nfmasq.helpers.protocols.sip.signalling import is_translated, is_traversing


class Decisions:
    """Those of one session. socket: the phone's endpoint in it."""

    __slots__ = ("_decided", "_kept", "_phone", "_session", "socket")

    def __init__(self, session: Session, phone: Phone) -> None:
        self._session = session
        self._phone = phone
        self._kept = session.remembered
        self._decided: int | None = None
        """The Call-ID that the last message of the inside was the first to decide to translate."""
        self.socket: Socket = phone.socket(session.transport, session.internal[1])

    def of_outside(self, message: Message, uri: Uri | None) -> bool:
        """Is a message of the outside translated? uri: a request's."""
        if is_traversing(uri):
            return False
        known = self._phone.decided(message.call)
        if known is None:
            known = self._as_shown([] if uri is None else [uri.user])
        return known or False

    def of_inside(self, message: Message, contacts: Sequence[Entry]) -> bool:
        """Is a message of the inside translated? contacts: its own."""
        self._decided = None
        says = is_translated(contacts, self._session)
        registers = message.method == b"REGISTER" and not message.status and says is not None
        known = None if registers else self._phone.decided(message.call)
        if known is not None:
            return known
        users = [each.uri.user for each in contacts if each.uri is not None]
        is_shown = bool(message.status) or says is None
        known = self._as_shown(users) if is_shown else says
        known = says if known is None else known
        if says is not None and known is not None:
            self._decided = message.call if known and not registers else None
            self._phone.decide(message.call, is_translated=known)
            self.socket.show(users, is_translated=known, is_registered=registers)
        return known or False

    def take_back(self) -> None:
        """The last message of the inside is left alone as a whole: so is all of a dialog that it begins."""
        if self._decided is not None:
            self._phone.decide(self._decided, is_translated=False)

    def to_remember(self) -> int:
        """What the core is to keep of the session from now on; 0: as before."""
        kinds = self.socket.kinds
        if kinds == self._kept or not kinds:
            return 0
        self._kept = kinds
        return kinds

    def _as_shown(self, users: Sequence[bytes]) -> bool | None:
        return self.socket.is_translated(users, self._session.remembered)

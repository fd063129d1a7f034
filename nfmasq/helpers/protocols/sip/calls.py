"""The calls of one internal host, as far as their media need it (RFC 3261 sections 12 and 13, RFC 3264).

A call goes on in any session of its host. Without Record-Route, or through another proxy of a cluster, ACK,
UPDATE and BYE take a way of their own. A connection may be opened again in the middle of a call, too.

What is stored: for each Call-ID the requests whose answers may bring SDP, the dialogs that were answered, and
the call's media (`call_media`). Identifiers are stored as `brief` makes them. Who writes: each message that
was read, of either side.

What ends a call: BYE of its last dialog, or a final answer of 300 or more before any 200. Past MOST_CALLS one
is forgotten: of the calls that nobody has taken up the oldest, else the oldest of all. Its media end by their
timers. A request of its dialog makes it known again, as after a restart.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address
from itertools import chain

from nfmasq.helpers.kit.base import Admitted, Found
from nfmasq.helpers.protocols.sip.call_media import CallMedia, Port
from nfmasq.helpers.protocols.sip.message import Message

MOST_CALLS = 512
"""Calls of a host: an exchange has all of its trunk's."""
MOST_DIALOGS = 8
MOST_REQUESTS = 8
OFFERING = frozenset({b"INVITE", b"UPDATE", b"PRACK", b"ACK"})
"""Methods whose requests and answers carry offers and answers."""
RETRIED = frozenset({401, 407, 422, 491})
"""Answers after which the same call is asked for again."""


class Call:
    """A call. asked: CSeqs of the outside's requests. dialogs: pairs of tags."""

    __slots__ = ("asked", "dialogs", "media")

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.dialogs: set[frozenset[int]] = set()
        self.media = CallMedia()


class Calls:
    """All calls of a host."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}

    def note_request(self, message: Message, *, from_outside: bool) -> None:
        """Note a request: the answers to the outside's may bring SDP.

        INVITE begins a call. So does a request in a dialog of which nothing is known.
        """
        name = message.call
        call = self._calls.get(name)
        if call is None:
            is_in_dialog = message.is_in_dialog
            if message.method != b"INVITE" and not (is_in_dialog and message.method in OFFERING):
                return
            self._make_room()
            call = self._calls[name] = Call()
            if is_in_dialog and not from_outside:
                call.dialogs.add(message.tags)
        if from_outside:
            cseq = message.sequence
            if cseq not in call.asked:
                call.asked = [*call.asked[1 - MOST_REQUESTS :], cseq]

    def may_describe(self, message: Message) -> bool:
        """May the inside announce media in this message? An answer needs its question, a request its call."""
        call = self._calls.get(message.call)
        if call is None or message.method not in OFFERING:
            return False
        return message.status == 0 or message.sequence in call.asked

    def is_answered(self, message: Message) -> bool:
        """Has the other side named a host for the media of this message's call?"""
        call = self._calls.get(message.call)
        return call is not None and call.media.is_answered

    def note_media(self, message: Message, found: Sequence[Found], peer: IPv4Address) -> list[Admitted]:
        """Note what the inside announced; who may come there besides the peer, the session's other end."""
        return self._calls[message.call].media.note_ports(found, peer)

    def note_hosts(self, message: Message, hosts: Sequence[IPv4Address], peer: IPv4Address) -> list[Admitted]:
        """Note where the outside wants its media; who may come to what was announced."""
        call = self._calls.get(message.call)
        return call.media.note_hosts(hosts, peer) if call is not None else []

    def ended(self, message: Message) -> list[Port]:
        """The ports whose media end by this message; those that another call has go on."""
        name = message.call
        call = self._calls.get(name)
        if call is None or not self._ends(call, message):
            return []
        del self._calls[name]
        others = self._calls.values()
        return [port for port in call.media.ports if not any(port in each.media.ports for each in others)]

    def _make_room(self) -> None:
        """Forget a call where there are too many: one that was not taken up; of those, one without media."""
        while len(self._calls) >= MOST_CALLS:
            silent = (name for name, call in self._calls.items() if not (call.dialogs or call.media.ports))
            ringing = (name for name, call in self._calls.items() if not call.dialogs)
            del self._calls[next(chain(silent, ringing, self._calls))]

    @staticmethod
    def _ends(call: Call, message: Message) -> bool:
        status = message.status
        if message.method == b"INVITE" and status:
            if 200 <= status < 300 and len(call.dialogs) < MOST_DIALOGS:
                call.dialogs.add(message.tags)
            return status >= 300 and status not in RETRIED and not call.dialogs
        if message.method != b"BYE" or status:
            return False
        call.dialogs.discard(message.tags)
        return not call.dialogs

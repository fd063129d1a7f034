"""The calls of one session, as far as their media need it (RFC 3261 sections 12 and 13, RFC 3264).

What is stored: for each Call-ID the requests whose answers may bring SDP, the dialogs that were answered, and
the call's media (`call_media`). Who writes:
each message that was read, of either side. What ends a call: BYE of its last dialog, or a final answer of
300 or more before any 200. The oldest call is forgotten when there are more than MOST_CALLS. Its media end by
their timers.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Admitted, Found
from nfmasq.helpers.protocols.sip.call_media import CallMedia, Port
from nfmasq.helpers.protocols.sip.message import Message

MOST_CALLS = 64
MOST_DIALOGS = 8
MOST_REQUESTS = 8
OFFERING = frozenset({b"INVITE", b"UPDATE", b"PRACK", b"ACK"})
"""Methods whose requests and answers carry offers and answers."""
RETRIED = frozenset({401, 407, 422, 491})
"""Answers after which the same call is asked for again."""

_TAG = re.compile(rb";[ \t]*tag[ \t]*=[ \t]*([^;,\s]+)", re.I)


class Call:
    """A call. asked: CSeqs of the outside's requests. dialogs: pairs of tags."""

    __slots__ = ("asked", "dialogs", "media")

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.dialogs: set[frozenset[bytes]] = set()
        self.media = CallMedia()


class Calls:
    """All calls of a session."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[bytes, Call] = {}

    def note_request(self, message: Message, *, from_outside: bool) -> None:
        """Note a request: INVITE begins a call, and the answers to the outside's may bring SDP."""
        name = message.first(b"call-id")
        call = self._calls.get(name)
        if call is None:
            if message.method != b"INVITE":
                return
            while len(self._calls) >= MOST_CALLS:
                del self._calls[next(iter(self._calls))]
            call = self._calls[name] = Call()
        if from_outside:
            cseq = message.first(b"cseq")
            if cseq not in call.asked:
                call.asked = [*call.asked[1 - MOST_REQUESTS :], cseq]

    def may_describe(self, message: Message) -> bool:
        """May the inside announce media in this message? An answer needs its question, a request its call."""
        call = self._calls.get(message.first(b"call-id"))
        if call is None or message.method not in OFFERING:
            return False
        return message.status == 0 or message.first(b"cseq") in call.asked

    def is_answered(self, message: Message) -> bool:
        """Has the other side named a host for the media of this message's call?"""
        call = self._calls.get(message.first(b"call-id"))
        return call is not None and call.media.is_answered

    def note_media(self, message: Message, found: Sequence[Found], peer: IPv4Address) -> list[Admitted]:
        """Note what the inside announced; who may come there besides the peer, the session's other end."""
        return self._calls[message.first(b"call-id")].media.note_ports(found, peer)

    def note_hosts(self, message: Message, hosts: Sequence[IPv4Address], peer: IPv4Address) -> list[Admitted]:
        """Note where the outside wants its media; who may come to what was announced."""
        call = self._calls.get(message.first(b"call-id"))
        return call.media.note_hosts(hosts, peer) if call is not None else []

    def ended(self, message: Message) -> list[Port]:
        """The ports whose media end by this message; those that another call has go on."""
        name = message.first(b"call-id")
        call = self._calls.get(name)
        if call is None or not self._ends(call, message):
            return []
        del self._calls[name]
        shared = {port for other in self._calls.values() for port in other.media.ports}
        return [port for port in call.media.ports if port not in shared]

    @staticmethod
    def _ends(call: Call, message: Message) -> bool:
        status = message.status
        if message.method == b"INVITE" and status:
            if 200 <= status < 300 and len(call.dialogs) < MOST_DIALOGS:
                call.dialogs.add(_dialog(message))
            return status >= 300 and status not in RETRIED and not call.dialogs
        if message.method != b"BYE" or status:
            return False
        call.dialogs.discard(_dialog(message))
        return not call.dialogs


def _dialog(message: Message) -> frozenset[bytes]:
    """Both tags, whichever side says it."""
    found = (_TAG.search(message.first(name).rpartition(b">")[2]) for name in (b"from", b"to"))
    return frozenset(each[1] for each in found if each is not None)

"""The calls of one internal host, as far as their media need it (RFC 3261 sections 12 and 13, RFC 3264).

A call goes on in any session of its host. Without Record-Route, or through another proxy of a cluster, ACK,
UPDATE and BYE take a way of their own. A connection may be opened again in the middle of a call, too.

What is stored: for each Call-ID the requests whose answers may bring SDP, and the INVITEs without a final
answer. Also the dialogs that were answered, and the call's media (`call_media`). Identifiers are stored as
`brief` makes them. Who writes: each message that was read, of either side.

What ends a call: BYE of its last dialog. Where no dialog stands, a final answer of 300 or more to its last
open INVITE ends it. A proxy that forks to two lines of a host, or tries another server, has several INVITEs
open in one call. Each ends by its own answer.

Past MOST_CALLS one is forgotten: of the calls that the inside has not heeded, else of those that nobody has
taken up, else of all. Of these it is the oldest of the remote host that has most, so that a stranger's flood
ends no other call. The media of a forgotten call end by their timers. A request of its dialog makes it known
again, as after a restart.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import TypeVar

from nfmasq.helpers.kit.base import Admitted, Found
from nfmasq.helpers.kit.call_media import CallMedia, Port
from nfmasq.helpers.protocols.sip.message import Message

MOST_CALLS = 512
"""Calls of a host: an exchange has all of its trunk's."""
MOST_DIALOGS = 8
MOST_REQUESTS = 8
MOST_OPEN = 16
"""INVITEs of a call without a final answer: a proxy forks to so many lines of an exchange."""
TRYING = 100
OFFERING = frozenset({b"INVITE", b"UPDATE", b"PRACK", b"ACK"})
"""Methods whose requests and answers carry offers and answers."""
RETRIED = frozenset({401, 407, 422, 491})
"""Answers of the outside after which the inside asks for the same call again: its media go on."""


What = TypeVar("What")


class Call:
    """A call. asked: CSeqs of the outside's requests. dialogs: pairs of tags.

    open: INVITEs without a final answer, by `Message.transaction`. is_heeded: the inside has begun the
    call, or said more than 100 to it. peer: the remote host that the call began with, as a number.
    """

    __slots__ = ("asked", "dialogs", "is_heeded", "media", "open", "peer")

    def __init__(self, peer: int) -> None:
        self.peer = peer
        self.is_heeded = False
        self.asked: list[int] = []
        self.open: list[tuple[int, int]] = []
        self.dialogs: set[frozenset[int]] = set()
        self.media = CallMedia()


class Calls:
    """All calls of a host."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}

    def note_request(self, message: Message, peer: IPv4Address, *, from_outside: bool) -> None:
        """Note a request: the answers to the outside's may bring SDP. peer: the session's other end.

        INVITE begins a call. So does a request in a dialog of which nothing is known; ACK only with SDP. One
        without follows each call that failed.
        """
        name = message.call
        call = self._calls.get(name)
        if call is None:
            is_in_dialog = message.is_in_dialog
            if message.method != b"INVITE" and not (is_in_dialog and _may_go_on(message)):
                return
            self._make_room()
            call = self._calls[name] = Call(int(peer))
            if is_in_dialog and not from_outside:
                call.dialogs.add(message.tags)
        if message.method == b"INVITE":
            call.open = _with(call.open, message.transaction, MOST_OPEN)
        if from_outside:
            call.asked = _with(call.asked, message.sequence, MOST_REQUESTS)
        else:
            call.is_heeded = True

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

    def ended(self, message: Message, *, from_outside: bool) -> list[Port]:
        """The ports whose media end by this message; those that another call has go on."""
        name = message.call
        call = self._calls.get(name)
        if call is None:
            return []
        call.is_heeded |= message.status > TRYING and not from_outside
        if not self._ends(call, message, from_outside=from_outside):
            return []
        del self._calls[name]
        others = self._calls.values()
        return [port for port in call.media.ports if not any(port in each.media.ports for each in others)]

    def _make_room(self) -> None:
        """Forget a call where there are too many: one that the inside has not heeded, or was not taken up."""
        while len(self._calls) >= MOST_CALLS:
            ringing = {name: call for name, call in self._calls.items() if not call.dialogs}
            unheeded = {name: call for name, call in ringing.items() if not call.is_heeded}
            del self._calls[_oldest_of_greediest(unheeded or ringing or self._calls)]

    @staticmethod
    def _ends(call: Call, message: Message, *, from_outside: bool) -> bool:
        status = message.status
        if message.method == b"INVITE" and status:
            return _closes(call, message) and not (status in RETRIED and from_outside)
        if message.method != b"BYE" or status:
            return False
        was_talking = message.tags in call.dialogs
        call.dialogs.discard(message.tags)
        return not call.dialogs and (was_talking or not call.open)


def _may_go_on(message: Message) -> bool:
    """May a request of a dialog of which nothing is known bring SDP?"""
    return message.method in OFFERING and (message.method != b"ACK" or message.body < message.end)


def _closes(call: Call, message: Message) -> bool:
    """Does an answer to an INVITE leave neither an open one nor a dialog?"""
    name = message.transaction
    answered = [each for each in call.open if each == name or (not name[1] and each[0] == name[0])]
    was_open = message.status >= 200 and bool(answered)
    if was_open:
        call.open.remove(answered[0])
    if 200 <= message.status < 300 and len(call.dialogs) < MOST_DIALOGS:
        call.dialogs.add(message.tags)
    return was_open and not call.open and not call.dialogs


def _oldest_of_greediest(calls: Mapping[int, Call]) -> int:
    """The oldest call of the remote host that has most; of those, one without media."""
    counts = Counter(call.peer for call in calls.values())
    return min(calls, key=lambda name: (-counts[calls[name].peer], bool(calls[name].media.ports)))


def _with(known: list[What], new: What, most: int) -> list[What]:
    """What is known with a newer one; past `most` the oldest is forgotten."""
    return known if new in known else [*known[1 - most :], new]

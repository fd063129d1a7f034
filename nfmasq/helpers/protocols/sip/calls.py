"""The calls of one session, as far as their media need it (RFC 3261 sections 12 and 13, RFC 3264).

What is stored: for each Call-ID the requests whose answers may bring SDP, and the dialogs that were answered.
With them: the ports that were announced, and the hosts that the other side named for its media. Who writes:
each message that was read, of either side. What ends a call: BYE of its last dialog, or a final answer of
300 or more before any 200. The oldest call is forgotten when there are more than MOST_CALLS. Its media end by
their timers.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Admitted, Found
from nfmasq.helpers.protocols.sip.message import Message

MOST_CALLS = 64
MOST_DIALOGS = 8
MOST_HOSTS = 4
MOST_REQUESTS = 8
OFFERING = frozenset({b"INVITE", b"UPDATE", b"PRACK", b"ACK"})
"""Methods whose requests and answers carry offers and answers."""
RETRIED = frozenset({401, 407, 422, 491})
"""Answers after which the same call is asked for again."""

_TAG = re.compile(rb";[ \t]*tag[ \t]*=[ \t]*([^;,\s]+)", re.I)

Port = tuple[str, int]


class Call:
    """A call. asked: CSeqs of the outside's requests. dialogs: pairs of tags. ports, hosts: of its media."""

    __slots__ = ("asked", "dialogs", "hosts", "ports")

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.dialogs: set[frozenset[bytes]] = set()
        self.ports: dict[Port, None] = {}
        self.hosts: list[IPv4Address] = []


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

    def note_media(self, message: Message, found: Sequence[Found]) -> None:
        """Note what the inside announced."""
        call = self._calls[message.first(b"call-id")]
        for each in found:
            for nth in range(each.consecutive):
                call.ports[each.transport, each.port + nth] = None

    def note_hosts(self, message: Message, hosts: Sequence[IPv4Address]) -> list[Admitted]:
        """Note where the outside wants its media; who may come whom it did not name before.

        Before the answer anyone may begin (early media), and takes no place from those who are named.
        """
        call = self._calls.get(message.first(b"call-id"))
        admitted: list[Admitted] = []
        if call is None:
            return admitted
        for host in hosts:
            if host in call.hosts or len(call.hosts) == MOST_HOSTS:
                continue
            admitted += [Admitted(transport, port, host) for transport, port in call.ports]
            call.hosts.append(host)
        return admitted

    def ended(self, message: Message) -> list[Port]:
        """The ports whose media end by this message; those that another call has go on."""
        name = message.first(b"call-id")
        call = self._calls.get(name)
        if call is None or not self._ends(call, message):
            return []
        del self._calls[name]
        shared = {port for other in self._calls.values() for port in other.ports}
        return [port for port in call.ports if port not in shared]

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

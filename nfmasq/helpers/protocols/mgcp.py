"""MGCP (RFC 3435): a call agent commands gateways, whose answers describe where they hear sound (SDP).

A datagram has one message or several, with a line of "." between them. A command is a verb, a number, an
endpoint's name and "MGCP 1.0"; an answer is a code and the command's number. Parameters follow, a line each,
and behind an empty line SDP. Nothing says how long that is.

Rewritten: what the inside describes, as in SIP: `c=`, `m=`, `a=rtcp`. So is the notified entity (N) of a call
agent inside, if it is its own endpoint. Sound comes from anyone, until the agent names a host for the
connection; then from that host. DLCX ends what its connection has announced, and RSIP keeps the session of a
gateway for two hours. Names of endpoints stay, also with an address: they tell gateways apart.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq.helpers.kit import media, sdp
from nfmasq.helpers.kit.base import (
    MOST_FOUND,
    Admitted,
    Dialogue,
    Found,
    Named,
    NotActedOn,
    Place,
    Reading,
    Session,
    Side,
)
from nfmasq.helpers.kit.call_media import CallMedia
from nfmasq.helpers.kit.numbers import dotted, port_number, written
from nfmasq.helpers.kit.pairing import ByNumber

AGENT_PORT = 2727
HOLD_S = 7200
MOST_PIGGYBACKED = 8
"""Of one datagram; the others stay as they are."""
MOST_LINKS = 64
"""Connections of one session that are remembered, and commands that wait for their answers."""

_HEAD = re.compile(rb"(?:([A-Za-z]{4}) (\d{1,9}) [!-~]+ MGCP 1\.0|\d{3} (\d{1,9}))(?:[ \t][^\r\n]*)?\r?\n")
_NEXT = re.compile(rb"\n\.\r?\n")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_PARAMETER = re.compile(rb"\n([CIN]):([^\r\n]*)", re.IGNORECASE)
_OWN_ENTITY = re.compile(rb"[^@\r\n]*@\[(\d+\.\d+\.\d+\.\d+)\](:\d+)?[ \t]*")


class Message(NamedTuple):
    """A message and its span. verb: in upper case; b"" of an answer. body: where its SDP begins.

    parameters: of the letters in _PARAMETER the last one each, with where its value begins.
    """

    start: int
    end: int
    verb: bytes
    number: bytes
    parameters: dict[bytes, tuple[int, bytes]]
    body: int

    def value(self, letter: bytes) -> bytes:
        """A parameter; b"" where there is none."""
        return self.parameters.get(letter, (0, b""))[1].strip()


class Link:
    """A connection of a gateway: its call, and its media."""

    __slots__ = ("call", "media")

    def __init__(self, call: bytes) -> None:
        self.call = call
        self.media = CallMedia()


class Mgcp:
    """The helper. It has no options."""

    name = "mgcp"
    transport = "udp"
    ports: tuple[int, ...] = (2427, 2727)
    enabled_by_default = False
    about = "Media Gateway Control Protocol: gateways of telephones, and their call agent"

    examples = (
        (Side.INSIDE, b"RSIP 1 *@gw.example MGCP 1.0\r\nRM: restart\r\n"),
        (Side.OUTSIDE, b"200 1 OK\r\n"),
        (Side.OUTSIDE, b"CRCX 2 aaln/1@gw.example MGCP 1.0\r\nC: A1\r\nM: recvonly\r\n"),
        (
            Side.INSIDE,
            b"200 2 OK\r\nI: F1\r\n\r\nv=0\r\no=- 1 1 IN IP4 192.168.1.10\r\ns=-\r\nc=IN IP4 192.168.1.10\r\n"
            b"t=0 0\r\nm=audio 5000 RTP/AVP 0\r\n",
        ),
        (
            Side.OUTSIDE,
            b"MDCX 3 aaln/1@gw.example MGCP 1.0\nC: A1\nI: F1\n\nv=0\nc=IN IP4 203.0.113.10\nt=0 0\n"
            b"m=audio 6000 RTP/AVP 0\n.\nDLCX 4 aaln/1@gw.example MGCP 1.0\nC: A1\nI: F1\n",
        ),
        (Side.INSIDE, b"200 3 OK\n.\n250 4 OK\n"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a gateway and its call agent."""
        return MgcpDialogue(session)


class MgcpDialogue:
    """A gateway and its call agent.

    Stored: connections by their ids, and those of commands that wait for answers; the oldest gives way.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._links: OrderedDict[bytes, Link] = OrderedDict()
        self._asked = ByNumber[Link](MOST_LINKS)

    def read(self, side: Side, data: bytes) -> Reading:
        """The endpoints in all messages of a datagram."""
        found: list[Place] = []
        left_alone: list[str] = []
        admitted: list[Admitted] = []
        ended: list[tuple[str, int]] = []
        whole, hold_s = list[tuple[int, int]](), 0
        for message in _messages(data):
            link = self._link(side, message)
            try:
                if side is Side.INSIDE:
                    places, left = self._described(data, message, link, admitted)
                    if len(found) + len(places) > MOST_FOUND:
                        raise NotActedOn("no_room")
                    found += places
                    left_alone += left
                    whole.append((message.start, message.end))
                    hold_s = HOLD_S if message.verb == b"RSIP" else hold_s
                else:
                    hosts = sdp.addresses(data, message.body, message.end)
                    admitted += link.media.note_hosts(hosts, self._session.remote[0])
            except NotActedOn as why:
                left_alone.append(str(why))
            if message.verb == b"DLCX":
                ended += self._ended(message)
        return Reading(
            len(data), found, False, left_alone, admitted[:MOST_FOUND], ended[:MOST_FOUND], hold_s, whole
        )

    def _link(self, side: Side, message: Message) -> Link:
        """The connection that a message is about; a new one where it is not known."""
        identifier = message.value(b"I")
        link = self._links.get(identifier) if identifier else None
        if link is None and not message.verb and side is Side.INSIDE:
            link = self._asked.awaits(message.number)
        link = link or Link(message.value(b"C"))
        if message.verb and side is Side.OUTSIDE:
            self._asked.add(message.number, link)
        if identifier:
            self._links[identifier] = link
            while len(self._links) > MOST_LINKS:
                self._links.popitem(last=False)
        return link

    def _described(
        self, data: bytes, message: Message, link: Link, admitted: list[Admitted]
    ) -> tuple[list[Place], list[str]]:
        """What a message of the inside names of its own, and why some stays. Raises NotActedOn."""
        places: list[Place] = list(_own_entity(message))
        if message.body == message.end:
            return places, []
        described, left = media.described(
            data,
            sdp.read(data, message.body, message.end),
            self._session,
            anyone=not link.media.is_answered,
        )
        ports = [each for each in described if isinstance(each, Found)]
        admitted += link.media.note_ports(ports, self._session.remote[0])
        return [*places, *described], left

    def _ended(self, message: Message) -> Iterator[tuple[str, int]]:
        """The ports of the connection that is deleted, or of all of its call."""
        identifier, call = message.value(b"I"), message.value(b"C")
        over = [identifier] if identifier else [key for key, each in self._links.items() if each.call == call]
        for key in over if identifier or call else ():
            if (link := self._links.pop(key, None)) is not None:
                yield from link.media.ports


def _messages(data: bytes) -> Iterator[Message]:
    start = 0
    for _ in range(MOST_PIGGYBACKED):
        head = _HEAD.match(data, start)
        if head is None:
            return
        following = _NEXT.search(data, head.end() - 1)
        end = following.start() + 1 if following else len(data)
        empty = _EMPTY_LINE.search(data, head.end() - 1, end)
        last = empty.start() + 1 if empty else end
        parameters = {
            each[1].upper(): (each.start(2), each[2])
            for each in _PARAMETER.finditer(data, head.end() - 1, last)
        }
        body = empty.end() if empty else end
        yield Message(start, end, (head[1] or b"").upper(), head[2] or head[3], parameters, body)
        if following is None:
            return
        start = following.end()


def _own_entity(message: Message) -> Iterator[Named]:
    """The endpoint of a call agent in its notified entity. Raises NotActedOn("malformed")."""
    at, text = message.parameters.get(b"N", (0, b""))
    entity = _OWN_ENTITY.fullmatch(text)
    if entity is not None:
        port = port_number(entity[2][1:]) if entity[2] else AGENT_PORT
        end = entity.end(2) if entity[2] else entity.end(1) + 1
        yield Named(at + entity.start(1), at + end, dotted(entity[1]), _write_entity, port=port)


def _write_entity(own: IPv4Address, port: int) -> bytes:
    return b"%s]:%d" % (written(own), port)


HELPER = Mgcp

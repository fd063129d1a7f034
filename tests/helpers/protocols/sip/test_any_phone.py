"""For any phone, over either transport: each side hears what it would hear without a NAT (mode "full").

Identifiers, and all headers that name no endpoint of the phone, cross byte for byte, both ways. So do whole
messages from outside in mode "media".
"""

import re
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.router import CLIENT, EXTERNAL, SERVER

from helpers.engine.bed import Connection
from helpers.protocols.sip.phoning import HERE, PORT, Phoning
from helpers.protocols.sip.sayings import Mode, sdp
from nfmasq.helpers.kit.base import Side

IN, OUT = Side.INSIDE, Side.OUTSIDE
COMPACT = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Type": "c"}
OTHERS = [f"X-Own: {HERE}", f"Subject: c=IN IP4 {CLIENT}", f"Warning: 399 {EXTERNAL} x", "Allow: INVITE"]
ENDPOINTS = {"via", "contact", "route", "record-route"}
"""Headers in which the phone's own endpoint is translated."""
OFFER = sdp("m=audio 6000 RTP/AVP 0", f"a=x:{CLIENT}", host=CLIENT)
ANSWER = sdp("m=audio 7000 RTP/AVP 0", host=SERVER)

Header = tuple[str, str]


@dataclass
class Wire:
    """A phone's session over this transport. at: bytes that either side has said (TCP)."""

    bed: Phoning
    transport: str
    connection: Connection | None = None
    at: list[int] = field(default_factory=lambda: [0, 0])

    def cross(self, side: Side, text: bytes) -> bytes:
        """What the other side hears."""
        if self.transport == "udp":
            return self.bed.say(text) if side is IN else self.bed.hear(text)
        if self.connection is None:
            self.connection = Connection(self.bed, port=PORT, near=PORT).open()
            self.bed.near = self.connection.external[1]
        heard = self.connection.say(side.value, text, at=self.at[side.value])
        self.at[side.value] += len(text)
        return heard


@dataclass
class Phone:
    """How a phone and its server write, and the headers that the server keeps of what it heard.

    rport: does the phone ask for it (RFC 3581)? own: its endpoint; it may leave the port 5060 out.
    """

    wire: Wire
    mode: Mode
    chance: Random
    rport: bool
    own: str

    def write(self, first: str, headers: list[Header], body: str = "") -> bytes:
        """A message, its headers in any order, form and case; the topmost Via stays the first of them."""
        others = [tuple(each.split(": ", 1)) for each in self.chance.sample(OTHERS, 2)]
        mixed = [*headers, *others]
        self.chance.shuffle(mixed)
        typed = [("Content-Type", "application/sdp")] if body else []
        lines = [f"{self._name(name)}{self._blank()}{value}" for name, value in (*mixed, *typed)]
        length = self.chance.choice(["Content-Length", "l", "content-length"])
        return "\r\n".join([first, *lines, f"{length}: {len(body)}", "", body]).encode()

    def _name(self, long: str) -> str:
        return str(self.chance.choice([long, long.lower(), long.upper(), COMPACT.get(long, long)]))

    def _blank(self) -> str:
        return str(self.chance.choice([": ", ":", " : ", ":\t", ":\r\n "]))

    def say(self, side: Side, first: str, headers: list[Header], body: str = "") -> dict[str, str]:
        """Let a message cross, and check it. Returns the headers that are heard, and the first line as ""."""
        text = self.write(first, headers, body)
        heard = self.wire.cross(side, text)
        said_headers, said_body = taken_apart(text)
        heard_headers, heard_body = taken_apart(heard)
        assert list(said_headers) == list(heard_headers)
        for name in said_headers.keys() - ENDPOINTS - {"", "content-length"}:
            assert heard_headers[name] == said_headers[name]
        assert int(heard_headers["content-length"]) == len(heard_body)
        if side is OUT and self.mode == "media":
            assert heard == text
        if side is OUT:
            assert heard_body == said_body
        elif body:
            self.assert_translated(said_body, heard_body)
        if side is IN:
            assert heard_headers[""] == said_headers[""]
        return heard_headers

    def assert_translated(self, said: str, heard: str) -> None:
        """What the phone describes has its address and port abroad, and nothing else has changed."""
        assert f"c=IN IP4 {EXTERNAL}\r\n" in heard
        blank = r"(?m)^(c=IN IP4 \S+|m=audio \d+)"
        lines = [line for line in heard.split("\r\n") if not line.startswith("a=rtcp:")]
        assert re.sub(blank, "#", "\r\n".join(lines)) == re.sub(blank, "#", said)


def taken_apart(text: bytes) -> tuple[dict[str, str], str]:
    """A message's headers by their long names in lower case, unfolded; its first line as ""; and its body."""
    head, _, body = text.decode().partition("\r\n\r\n")
    first, *lines = head.replace("\r\n ", " ").split("\r\n")
    long = {short: name.lower() for name, short in (*COMPACT.items(), ("content-length", "l"))}
    headers = {"": first}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[long.get(name, name)] = value.strip()
    return headers, body


@st.composite
def phones(draw: st.DrawFn, mode: Mode, transport: str) -> Phone:
    """A phone that leaves its NAT traversal to the router."""
    wire = Wire(Phoning(mode), transport)
    chance = draw(st.randoms(use_true_random=False))
    return Phone(wire, mode, chance, draw(st.booleans()), draw(st.sampled_from([HERE, str(CLIENT)])))


def request(
    phone: Phone, method: str, uri: str, call: str, number: int, *more: Header
) -> tuple[str, list[Header]]:
    """The first line and the headers of the phone's request."""
    via = f"SIP/2.0/{phone.wire.transport.upper()} {phone.own};branch=z9hG4bK{number}{';rport' * phone.rport}"
    names: list[Header] = [
        ("Via", via),
        ("From", f"<sip:ann@{CLIENT}>;tag={CLIENT}"),
        ("To", f"<sip:bob@{SERVER}>"),
        ("Call-ID", f"{call}@{HERE}"),
        ("CSeq", f"{number} {method}"),
    ]
    return f"{method} {uri} SIP/2.0", [*names, *more]


def answer(asked: dict[str, str], *more: Header, received: str = "") -> list[Header]:
    """The headers of an answer to what was heard. received: what is added to its Via."""
    copied = [(name, asked[name.lower()]) for name in ("From", "To", "Call-ID", "CSeq")]
    via = asked["via"].replace(";rport", f";rport={received.partition(':')[2]}") if received else asked["via"]
    added = f";received={received.partition(':')[0]}" if received else ""
    return [("Via", via + added), *copied, *more]


def registered(phone: Phone) -> str:
    """The phone registers: its contact as the registrar knows it."""
    contact = f"<sip:ann@{phone.own}>"
    asked = request(phone, "REGISTER", f"sip:{SERVER}", "1", 1, ("Contact", contact))
    heard = phone.say(IN, *asked)
    abroad = phone.wire.bed.abroad
    if phone.mode == "full":
        assert heard["contact"] == f"<sip:ann@{abroad}>"
        assert (f" {abroad};" in heard["via"]) == (not phone.rport)
    granted = answer(heard, ("Contact", f"{heard['contact']};expires=60"), received=abroad)
    back = phone.say(OUT, "SIP/2.0 200 OK", granted)
    if phone.mode == "full":
        assert back["contact"] == f"{contact};expires=60"
        assert_own_via(phone, back["via"])
    return heard["contact"].strip("<>")


def assert_own_via(phone: Phone, via: str) -> None:
    """The phone hears its own Via as it wrote it; what the server has added names its own endpoint, too."""
    host, _, rest = via.removeprefix(f"SIP/2.0/{phone.wire.transport.upper()} ").partition(";")
    assert host == phone.own
    assert f"received={CLIENT}" in rest
    assert (f"rport={PORT}" in rest) == phone.rport
    assert str(EXTERNAL) not in via


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("mode", ["media", "full"])
class TestAnyPhone:
    @given(data=st.data())
    @settings(max_examples=20, deadline=None)
    def test_calls_out(self, mode: Mode, transport: str, data: st.DataObject) -> None:
        phone = data.draw(phones(mode, transport))
        registered(phone)
        contact = ("Contact", f"<sip:ann@{phone.own}>")
        uri = f"sip:bob@{SERVER}"
        invited = phone.say(IN, *request(phone, "INVITE", uri, "2", 1, contact), OFFER)
        taken = answer(invited, ("Contact", f"<sip:bob@{SERVER}>"), received=phone.wire.bed.abroad)
        heard = phone.say(OUT, "SIP/2.0 200 OK", taken, ANSWER)
        if mode == "full":
            assert_own_via(phone, heard["via"])
        phone.say(IN, *request(phone, "ACK", uri, "2", 1))
        self.hang_up(phone, invited["contact"].strip("<>"), "2")
        assert not phone.wire.bed.not_acted_on

    @given(data=st.data())
    @settings(max_examples=20, deadline=None)
    def test_is_called(self, mode: Mode, transport: str, data: st.DataObject) -> None:
        phone = data.draw(phones(mode, transport))
        uri = registered(phone)
        via = ("Via", f"SIP/2.0/{transport.upper()} {SERVER};branch=z9hG4bK9")
        names: list[Header] = [
            ("From", f"<sip:bob@{EXTERNAL}>;tag={EXTERNAL}"),
            ("To", f"<sip:ann@{phone.wire.bed.abroad}>"),
            ("Call-ID", f"9@{EXTERNAL}"),
        ]
        asked = [via, *names, ("CSeq", "1 INVITE"), ("Contact", f"<sip:bob@{SERVER}>")]
        invited = phone.say(OUT, f"INVITE {uri} SIP/2.0", asked, ANSWER)
        if mode == "full":
            assert invited[""] == f"INVITE sip:ann@{phone.own} SIP/2.0"
        own = ("Contact", f"<sip:ann@{phone.own}>")
        taken = phone.say(IN, "SIP/2.0 200 OK", answer(invited, own), OFFER)
        assert taken["contact"] == (f"<{uri}>" if mode == "full" else own[1])
        phone.say(OUT, f"ACK {taken['contact'].strip('<>')} SIP/2.0", [via, *names, ("CSeq", "1 ACK")])
        self.hang_up(phone, taken["contact"].strip("<>"), "9")
        assert not phone.wire.bed.not_acted_on

    @staticmethod
    def hang_up(phone: Phone, uri: str, call: str) -> None:
        """The outside ends a call by its contact: the phone hears its own."""
        via = ("Via", f"SIP/2.0/{phone.wire.transport.upper()} {SERVER};branch=z9hG4bK8")
        names: list[Header] = [
            ("From", f"<sip:bob@{SERVER}>;tag=b"),
            ("To", f"<sip:ann@{CLIENT}>;tag={CLIENT}"),
            ("Call-ID", f"{call}@{HERE}"),
            ("CSeq", "2 BYE"),
        ]
        heard = phone.say(OUT, f"BYE {uri} SIP/2.0", [via, *names])
        if phone.mode == "full":
            assert heard[""] == f"BYE sip:ann@{phone.own} SIP/2.0"
        phone.say(IN, "SIP/2.0 200 OK", answer(heard))

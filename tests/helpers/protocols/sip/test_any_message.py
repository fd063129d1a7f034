"""For any message that a phone may write: what crosses the engine is the same but for its endpoints.

Identifiers stay byte for byte. What is written is what the core lets in, and lengths are right.
"""

import re
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packets import l4_at, read, udp
from support.router import CLIENT, SERVER

from helpers.engine.bed import Bed
from nfmasq.helpers.protocols.sip import Sip

PORT = 5060
NAMES = {
    "Via": "v",
    "From": "f",
    "To": "t",
    "Call-ID": "i",
    "Contact": "m",
    "Content-Type": "c",
    "Content-Length": "l",
}
OTHERS = [
    "User-Agent: x 192.168.1.10",
    "Subject: c=IN IP4 192.168.1.10",
    "X-Own: 192.168.1.10:5060",
    "Allow: INVITE",
]
ADDED = re.compile(rb"a=rtcp:\d+\r")
OWN = str(CLIENT)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """An INVITE of CLIENT's, with its headers in any order, form and case."""

    def name(long: str) -> str:
        return draw(st.sampled_from([long, long.lower(), long.upper(), NAMES[long], NAMES[long].upper()]))

    def blank() -> str:
        return draw(st.sampled_from(["", " ", "  ", "\t", "\r\n "]))

    def header(long: str, value: str) -> str:
        colon = draw(st.sampled_from([":", " :", "\t:"]))
        return f"{name(long)}{colon}{blank()}{value}"

    media = []
    for nth in range(draw(st.integers(1, 3))):
        port = draw(st.integers(1024, 65000)) // 2 * 2
        media.append(f"m={draw(st.sampled_from(['audio', 'video']))} {port} RTP/AVP {nth}")
        media += draw(
            st.sampled_from([[], [f"c=IN IP4 {OWN}"], ["a=sendrecv"], ["b=AS:64", f"c=IN IP4 {OWN}"]])
        )
        media += draw(
            st.sampled_from([[], ["a=rtcp-mux"], [f"a=x:{OWN}"], [f"a=rtcp:{port + 1} IN IP4 {OWN}"]])
        )
    body = "\r\n".join(["v=0", f"o=- 1 1 IN IP4 {OWN}", f"s={OWN}", f"c=IN IP4 {OWN}", "t=0 0", *media, ""])
    rport = draw(st.sampled_from(["", ";rport"]))
    own = draw(st.sampled_from([OWN, f"{OWN}:{PORT}"]))
    contact = draw(
        st.sampled_from([f"<sip:ann@{own}>", f'"A, <B>" <sip:ann@{own};x=y>;q=0.5', f"sip:ann@{own};q=1"])
    )
    lines = [
        header("Via", f"SIP/2.0/UDP {own}{rport};branch=z9hG4bK{OWN}"),
        header("From", f"<sip:ann@{OWN}>;tag={OWN}"),
        header("To", f"<sip:bob@{SERVER}>"),
        header("Call-ID", f"1@{OWN}"),
        f"CSeq: 1{draw(st.sampled_from([' ', '  ']))}INVITE",
        header("Contact", contact),
        header("Content-Type", "application/sdp"),
        header("Content-Length", str(len(body))),
        *draw(st.lists(st.sampled_from(OTHERS), max_size=3)),
    ]
    first = f"INVITE sip:bob@{draw(st.sampled_from([str(SERVER), OWN]))} SIP/2.0"
    return "\r\n".join([first, *draw(st.permutations(lines)), "", body]).encode()


def crossed(mode: Literal["media", "full"], message: bytes) -> tuple[Bed, bytes]:
    """What the outside hears of a message."""
    bed = Bed(Sip(mode=mode))
    (packet,) = bed.send(udp(CLIENT, PORT, SERVER, PORT, message), inbound=False)
    return bed, packet[l4_at(packet) + 8 :]


def lines_of(message: bytes) -> list[bytes]:
    """The lines of a message, and of its body, without those for RTCP that are added (RFC 3605)."""
    return [line for line in message.split(b"\n") if not ADDED.fullmatch(line)]


@pytest.mark.parametrize("mode", ["media", "full"])
@given(message=messages())
@settings(max_examples=60, deadline=None)
def test_all_but_the_endpoints_stay(mode: Literal["media", "full"], message: bytes) -> None:
    bed, heard = crossed(mode, message)
    changed = [(old, new) for old, new in zip(lines_of(message), lines_of(heard), strict=True) if old != new]
    for old, new in changed:
        assert_only_endpoints_changed(old, new, mode)
    assert {b"c=IN IP4 " + OWN.encode() + b"\r"} <= {old for old, _ in changed}
    assert bed.engine.counters()["sip"].errors == 0
    assert not any(bed.engine.counters()["sip"].not_acted_on.values())
    head, _, body = heard.partition(b"\r\n\r\n")
    (length,) = re.findall(rb"(?im)^(?:l|content-length)[ \t]*:\s*(\d+)", head)
    assert int(length) == len(body)


def assert_only_endpoints_changed(old: bytes, new: bytes, mode: str) -> None:
    """Where the old line has the phone's endpoint, a port or a length, the new one has another."""
    kinds = rb"(?i)c=IN|m=|a=rtcp:|(?:l|content-length)[ \t]*:|\s*\d+\r?$"
    if mode == "full":
        kinds += rb"|(?:v|via|m|contact)[ \t]*:|\s+(?:SIP/2|<|\"|sip:)"
    assert re.match(kinds, old), f"{old!r} became {new!r}"
    blank = rb"\d+\.\d+\.\d+\.\d+(?::\d+)?|(?<=[ :\t])\d+(?=[ \r]|$)"
    identifiers = re.findall(rb";(?:branch|tag)=[^;\r]*", old)
    assert identifiers == re.findall(rb";(?:branch|tag)=[^;\r]*", new)
    assert re.sub(blank, b"#", old, count=2) == re.sub(blank, b"#", new, count=2), f"{old!r} became {new!r}"


@pytest.mark.parametrize("mode", ["media", "full"])
@given(message=messages())
@settings(max_examples=30, deadline=None)
def test_what_is_written_is_let_in(mode: Literal["media", "full"], message: bytes) -> None:
    bed, heard = crossed(mode, message)
    address = bed.rules.addresses[0]
    body = heard.partition(b"\r\n\r\n")[2]
    written = re.findall(rb"(?m)^m=\w+ (\d+)", body)
    internal = re.findall(rb"(?m)^m=\w+ (\d+)", message)
    for old, new in zip(internal, written, strict=True):
        (packet,) = bed.send(udp(SERVER, 9000, address, int(new)), inbound=True)
        assert read(packet)[2:4] == (CLIENT, int(old))

"""A browser inside is made to send SIP within something else: nothing is opened (NAT slipstreaming)."""

import struct

import pytest
from support.packets import read, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, SERVER

from helpers.protocols.sip.phoning import HERE, Phoning, audio_port
from helpers.protocols.sip.sayings import IN, PHONE, Heard, invite, request, sdp
from nfmasq.core.policy import Filtering
from nfmasq.helpers.kit.base import Found
from nfmasq.helpers.kit.listener import INTERNAL

REGISTER = request("REGISTER", f"Contact: <sip:ann@{PHONE}>;expires=3600")
POST = b"POST / HTTP/1.1\r\nHost: attacker.example:5060\r\nContent-Length: %d\r\n\r\n"
STUN = struct.pack("!HHI", 0x0003, 0, 0x2112A442) + b"transaction."


def turn(text: bytes) -> bytes:
    """An Allocate request whose user name is this text (RFC 8656)."""
    name = struct.pack("!HH", 6, len(text)) + text + bytes(-len(text) % 4)
    return struct.pack("!HHI", 0x0003, len(name), 0x2112A442) + b"transaction." + name


def pieces(text: bytes, size: int) -> list[tuple[object, bytes]]:
    """A text in segments."""
    return [(IN, text[at : at + size]) for at in range(0, len(text), size)]


@pytest.mark.parametrize("inner", [REGISTER, invite()])
@pytest.mark.parametrize("padding", [0, 1, 1300, 60000])
def test_in_a_post(inner: bytes, padding: int) -> None:
    """Padded so that a segment begins with the message."""
    head = POST % (padding + len(inner))
    heard = Heard((IN, head + b"a" * padding), (IN, inner), transport="tcp", mode="full")
    assert heard.listener.left
    assert not heard.found


@pytest.mark.parametrize("size", [1, 7, 536, 1460])
def test_in_a_post_however_it_is_cut(size: int) -> None:
    text = POST % 5000 + b"\r\n" * 500 + invite() + REGISTER
    heard = Heard(*pieces(text, size), transport="tcp", mode="full")  # type: ignore[arg-type]
    assert heard.listener.left
    assert not heard.found


@pytest.mark.parametrize("inner", [REGISTER, invite()])
@pytest.mark.parametrize("wrap", [turn, lambda text: struct.pack("!HH", 0x4000, len(text)) + text])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_in_a_packet_of_turn(inner: bytes, wrap: object, transport: str) -> None:
    """In a user name, and as data of a channel; the next segment begins with the message."""
    assert callable(wrap)
    packet: bytes = wrap(inner)
    cut = packet.index(inner)
    for said in ([(IN, packet)], [(IN, packet[:cut]), (IN, packet[cut:])] if transport == "tcp" else []):
        heard = Heard(*said, transport=transport, mode="full")
        assert not heard.found
        assert heard.listener.hold_s == 0


@pytest.mark.parametrize("first", [b"A", b" ", b"\0", b"GET / HTTP/1.1\r\n", b"INVITEX sip:x SIP/2.0\r\n"])
def test_behind_anything_else_in_a_stream(first: bytes) -> None:
    for said in ([(IN, first + invite())], [(IN, first), (IN, invite())]):
        heard = Heard(*said, transport="tcp", mode="full")
        assert not heard.found


def test_in_the_body_of_another_message() -> None:
    """A page by MESSAGE may quote a call."""
    text = request("MESSAGE", body=invite().decode(), kind="text/plain")
    for transport in ("udp", "tcp"):
        assert not Heard((IN, text), transport=transport).found
    head, body = text[: -len(invite())], invite()
    assert not Heard((IN, head), (IN, body), transport="tcp").found


def test_a_page_that_names_its_own_host_opens_that_host_s_port_and_no_other_s() -> None:
    """Where a whole message is let through, the address must be the sender's."""
    opened = [each.what for each in Heard((IN, invite())).listener.places if isinstance(each.what, Found)]
    assert [(each.address, each.port, each.consecutive) for each in opened] == [(INTERNAL, 6000, 2)]
    other = invite().replace(b"192.168.1.10", b"192.168.1.11")
    assert not Heard((IN, other)).found


def test_what_is_opened_leads_to_the_sender_s_port_alone() -> None:
    """Through the engine and the core: a page's host has its own port opened, and nothing else is let in."""
    bed = Phoning(filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    heard = bed.say(request("INVITE", body=sdp("m=audio 6000 RTP/AVP 0", host=CLIENT), via=HERE))
    port = audio_port(heard)
    packets = [
        bed.send(udp(SERVER, 9000, EXTERNAL, near, b"x"), inbound=True) for near in (port, port + 1, port + 2)
    ]
    assert [[read(each)[2:4] for each in sent] for sent in packets] == [
        [(CLIENT, 6000)],
        [(CLIENT, 6001)],
        [],
    ]
    forged = sdp("m=audio 6000 RTP/AVP 0", host=OTHER_CLIENT)
    heard = bed.say(request("INVITE", number=2, body=forged, via=HERE, call="2@here"))
    assert audio_port(heard) == 6000
    assert bed.not_acted_on == {"forged": 1}
    assert {row.internal[0] for row in bed.table.sessions()} == {CLIENT}

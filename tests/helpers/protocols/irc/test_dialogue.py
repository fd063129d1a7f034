"""IRC: whom the helper believes, from when on, and how much of it."""

import pytest
from support.dialogues import CLIENT, IN, OUT, endpoints, hear

from helpers.protocols.irc.sayings import ADDRESS, LOGIN, OFFER, client_says, dcc
from nfmasq.helpers.kit.base import MOST_FOUND, Side
from nfmasq.helpers.protocols.irc import MESSAGE, TAGS, Irc


def test_ip_masq_irc_bypass() -> None:
    """CVE-2001-1056: protocol state required: nothing before the server has welcomed the client."""
    heard = hear(Irc(), [LOGIN[0], OFFER])
    assert (heard.places, heard.not_acted_on) == ([], ["not_allowed"])
    heard = hear(Irc(), [LOGIN[0], (OUT, b":x 433 ann :Taken\r\nNOTICE 001 :x\r\n"), OFFER])
    assert not heard.places
    assert not Irc.enabled_by_default


def test_alg_in_wrong_direction() -> None:
    """ALG in wrong direction: what the external side offers opens nothing."""
    heard = client_says(b"PING x\r\n")
    heard.hear(OUT, b":bob PRIVMSG ann :" + OFFER[1][13:])
    assert (heard.places, heard.not_acted_on) == ([], [])


def test_a_server_behind_the_router_is_not_helped() -> None:
    """What it says was told to it by strangers: they could open ports of it."""
    for side in Side:
        assert hear(Irc(), [(side, b"NICK ann\r\n")], inside_began=False).left


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nX: ",
        b"PUT / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"\x00\x01\x00\x08\x21\x12\xa4\x42",
        b"REGISTER sip:x\r\n",
        b"EHLO x\r\n",
        b"USERS\r\n",
        b"CAPS LS\r\n",
        b"NICK /x HTTP/1.1\r\n",
        b"USER /x HTTP/1.1\n",
        b"CAP /x\r\nHost: evil.example\r\n",
        b"PRIVMSG bob :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n",
        b"\r\n",
    ],
    ids=repr,
)
def test_slipstreaming(first: bytes) -> None:
    """NAT pinning, NAT Slipstreaming v1: a stream that does not begin like IRC loses its helper for good."""
    for number in range(len(first)):
        assert hear(Irc(), [(IN, first[:number]), (IN, first[number:])]).left


def test_a_server_in_league_with_a_script() -> None:
    """A script chose the verb and the window's size; the welcome comes before the headers."""
    heard = hear(Irc(), [(IN, b"NICK /x\r\n"), (OUT, b":x 001 ann :Hi\r\n"), (IN, b"Host: x\r\n"), OFFER])
    assert (heard.left, heard.places) == (True, [])


@pytest.mark.parametrize(
    "first", [b"HTTP/1.1 400 Bad\r\n", b"220 ftp\r\n", b"\x15\x03", b"NOTIFY\r\n"], ids=repr
)
def test_a_server_that_does_not_begin_like_irc(first: bytes) -> None:
    """The other side of the same."""
    assert hear(Irc(), [(OUT, first)]).left


@pytest.mark.parametrize(
    "first", [b"CAP LS 302\r\n", b"pass x\r\n", b"WEBIRC a b c d\r\n", b"Nick ann\r\n"], ids=repr
)
def test_clients_begin_in_many_ways(first: bytes) -> None:
    """Capabilities, passwords and gateways come before NICK."""
    assert endpoints(hear(Irc(), [(IN, first), *LOGIN, OFFER])) == [(str(CLIENT), 5000)]


def test_starttls() -> None:
    """AUTH TLS / STARTTLS: ciphertext is never parsed: the helper leaves at 670."""
    heard = hear(Irc(), [(IN, b"STARTTLS\r\n"), (OUT, b":irc.example 670 * :Go on\r\n")])
    assert heard.left


def test_a_line_has_a_bound() -> None:
    """512 bytes besides the tags; an endpoint that might not fit is left as it is."""
    full = MESSAGE - len(OFFER[1])
    fits = OFFER[1].replace(b"bob", b"b" * (3 + full - 2))
    assert endpoints(client_says(fits)) == [(str(CLIENT), 5000)]
    assert endpoints(client_says(b"@a=" + b"x" * 5000 + b" " + fits)) == [(str(CLIENT), 5000)]
    heard = client_says(OFFER[1].replace(b"bob", b"b" * (3 + full)))
    assert (heard.places, heard.not_acted_on) == ([], ["too_long"])


def test_helper_cpu_bomb() -> None:
    """Helper CPU bomb: a line without an end does not wait, and ends the helper."""
    heard = client_says(b"A" * (TAGS + MESSAGE), b"A")
    assert heard.left


def test_too_many_offers_at_once() -> None:
    """Nobody means so many; it is no fault of the helper's."""
    heard = client_says(OFFER[1] * (MOST_FOUND + 1))
    assert (len(heard.places), heard.left) == (MOST_FOUND, True)


def test_a_line_past_its_bound_does_not_wait() -> None:
    """What begins there would not be rewritten anyway."""
    heard = client_says(b"PRIVMSG bob :" + b"x" * MESSAGE + b"\x01DCC SEND")
    assert heard.waiting[IN] == b""

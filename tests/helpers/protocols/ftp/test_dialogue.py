"""FTP: whom the helper believes, from when on, and until when."""

from collections.abc import Sequence

import pytest
from support.dialogues import CLIENT, IN, OUT, endpoints, hear

from helpers.protocols.ftp.sayings import (
    FORWARDED_LOGIN,
    LOGIN,
    PORT,
    Said,
    announced,
    client_says,
    server_says,
)
from nfmasq.helpers.kit.base import MOST_FOUND, Found
from nfmasq.helpers.protocols.ftp import Ftp
from nfmasq.helpers.protocols.ftp.dialogue import LONGEST


def test_fxp_lets_another_server_meet_an_internal_one() -> None:
    """Where it is allowed the data connection need not come from who asked for it."""
    reply = b"227 Entering Passive Mode (192,168,1,10,19,136)\r\n"
    for fxp in (False, True):
        (place,) = server_says(b"PASV\r\n", reply, helper=Ftp(fxp=fxp)).places
        assert isinstance(place.what, Found)
        assert place.what.anyone is fxp
    heard = client_says(b"PASV\r\n", helper=Ftp(fxp=True))
    heard.hear(OUT, b"227 Entering Passive Mode (198,51,100,1,19,136)\r\n")
    assert not heard.not_acted_on


def test_alg_in_wrong_direction() -> None:
    """ALG in wrong direction: what the external side says never opens anything."""
    heard = client_says(b"NOOP\r\n")
    heard.hear(OUT, b"PORT 192,168,1,10,19,136\r\n227 Entering (192,168,1,10,19,136)\r\n")
    assert not heard.places
    heard = server_says(b"PORT 192,168,1,10,19,136\r\nEPRT |1|192.168.1.10|5000|\r\n")
    assert not heard.places
    heard = hear(Ftp(), [*FORWARDED_LOGIN, (IN, b"PORT 192,168,1,10,19,136\r\n")], inside_began=False)
    assert not heard.places


@pytest.mark.parametrize(
    "before",
    [
        LOGIN[:2],
        LOGIN[:3],
        LOGIN[:4],
        (*LOGIN[:4], (OUT, b"530 Login incorrect\r\n")),
        (*LOGIN[:4], (OUT, b"230-Not yet\r\n")),
        (*LOGIN[:4], (OUT, b"332 Account\r\n")),
        (*LOGIN, (IN, b"REIN\r\n"), (OUT, b"220 Again\r\n")),
        (*LOGIN, (IN, b"USER bob\r\n")),
        (*LOGIN, (IN, b"USER bob\r\nPASS x\r\n"), (OUT, b"331 Password\r\n530 No\r\n")),
        (*LOGIN[:1], (IN, b"NOOP\r\n"), (OUT, b"230 Who asked?\r\n")),
    ],
    ids=["USER", "331", "PASS", "530", "230-", "332", "REIN", "USER again", "failed again", "unasked"],
)  # fmt: skip
def test_no_expectation_without_a_login(before: Sequence[Said]) -> None:
    """Protocol state required: between a login and the next one only."""
    heard = hear(Ftp(), [*before, PORT])
    assert (heard.places, heard.not_acted_on) == ([], ["not_allowed"])


@pytest.mark.parametrize(
    "login",
    [
        LOGIN,
        (*LOGIN[:2], (OUT, b"230 No password needed\r\n")),
        (*LOGIN[:4], (OUT, b"332 Account\r\n"), (IN, b"ACCT x\r\n"), (OUT, b"230 Fine\r\n")),
        (*LOGIN[:4], (OUT, b"202 Superfluous\r\n")),
        (*LOGIN[:2], (OUT, b"230 No password\r\n"), (IN, b"PASS x\r\n"), (OUT, b"503 No need\r\n")),
        (*LOGIN[:4], (OUT, b"230-Welcome\r\n 230 x\r\n230-y\r\n230 Logged in\r\n")),
        (*LOGIN, (IN, b"REIN\r\n"), (OUT, b"220 Again\r\n"), *LOGIN[1:]),
        ((OUT, b"120 Wait\r\n"), *LOGIN),
        (
            (OUT, b"220 x\r\n"),
            (IN, b"USER a\r\nPASS b\r\nSYST\r\n"),
            (OUT, b"331 x\r\n230 y\r\n215 UNIX\r\n"),
        ),
    ],
    ids=["PASS", "USER", "ACCT", "202", "503", "several lines", "after REIN", "120", "pipelined"],
)
def test_logins_of_every_kind(login: Sequence[Said]) -> None:
    """Whichever way a server lets a client in."""
    assert endpoints(hear(Ftp(), [*login, PORT])) == [(str(CLIENT), 5000)]


def test_a_greeting_answers_no_command() -> None:
    """A client that speaks first is not logged in by it."""
    said = [(IN, b"USER ann\r\n"), (OUT, b"220 ready\r\n")]
    assert hear(Ftp(), [*said, PORT]).not_acted_on == ["not_allowed"]
    assert endpoints(hear(Ftp(), [*said, *LOGIN[2:], PORT])) == [(str(CLIENT), 5000)]


@pytest.mark.parametrize("code", [b"234", b"235"])
def test_auth_tls(code: bytes) -> None:
    """AUTH TLS / STARTTLS: ciphertext is never parsed as commands: the helper leaves after 234."""
    heard = hear(Ftp(), [LOGIN[0], (IN, b"AUTH TLS\r\n")])
    assert not heard.left
    heard.hear(OUT, code + b" Go on\r\n")
    assert heard.left


def test_what_follows_ccc_is_not_read() -> None:
    """Where TLS ends nobody can tell who cannot read it."""
    heard = hear(Ftp(), [LOGIN[0], (IN, b"AUTH TLS\r\n"), (OUT, b"234 Go on\r\n"), (IN, b"\x16\x03\1CCC")])
    for said in (*LOGIN[1:], PORT):
        heard.hear(*said)
    assert (heard.left, heard.places) == (True, [])


def test_auth_refused_goes_on() -> None:
    """Clients fall back to a plain login."""
    heard = hear(Ftp(), [LOGIN[0], (IN, b"AUTH TLS\r\n"), (OUT, b"502 No\r\n"), *LOGIN[1:], PORT])
    assert endpoints(heard) == [(str(CLIENT), 5000)]


def test_epsv_all_of_an_internal_client_ends_the_helper() -> None:
    """RFC 2428, section 4: nothing but EPSV will come, which needs no help."""
    heard = client_says(b"EPSV ALL\r\n")
    assert not heard.left
    heard.hear(OUT, b"200 Fine\r\n")
    assert heard.left


def test_epsv_all_of_an_external_client_leaves_epsv() -> None:
    """The server's 229 must be rewritten for all that; its 227 must not, nor a PORT."""
    ready = b"229 Extended (|||5000|)\r\n"
    heard = server_says(b"EPSV ALL\r\nEPSV\r\n", b"200 Fine\r\n", ready)
    assert endpoints(heard) == [(None, 5000)]
    heard = server_says(b"EPSV ALL\r\nPASV\r\n", b"200 Fine\r\n227 (192,168,1,10,19,136)\r\n")
    assert (announced(heard), heard.not_acted_on) == ([], ["not_allowed"])


def test_epsv_all_refuses_port_unless_the_server_refused_it() -> None:
    """The client bound itself; a server that knows no EPSV ALL set it free."""
    assert client_says(b"epsv all\r\n", PORT[1]).not_acted_on == ["not_allowed"]
    heard = client_says(b"EPSV ALL\r\n")
    heard.hear(OUT, b"500 What?\r\n")
    heard.hear(*PORT)
    assert endpoints(heard) == [(str(CLIENT), 5000)]


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nX: ",
        b"PUT /",
        b"OPTIONS / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x01\x00\x08\x21\x12\xa4\x42",
        b"EHLO mail\r\n",
        b"REGISTER sip:x SIP/2.0\r\n",
        b"SSH-2.0-x\r\n",
        b"USERX\r\n",
        b"PASS a\0b\r\n",
        b"USER a\rb\r\n",
        b"USER /x HTTP/1.1\r\n",
        b"HOST /x HTTP/1.1\n",
        b"USER /x\r\nHost: evil.example\r\n",
        b"PORT 192,168,1,10,19,136\r\n",
        b"\r\n",
    ],
    ids=repr,
)
def test_slipstreaming(first: bytes) -> None:
    """NAT Slipstreaming v1: a stream that does not begin like FTP loses its helper, whatever follows."""
    heard = hear(Ftp(), [LOGIN[0], (IN, first)])
    assert heard.left
    for number in range(1, len(first)):
        heard = hear(Ftp(), [LOGIN[0], (IN, first[:number]), (IN, first[number:])])
        assert heard.left


def test_a_server_in_league_with_a_script() -> None:
    """A script chose the verb and the window's size; the server lets it in before the headers."""
    heard = hear(
        Ftp(), [*LOGIN[:1], (IN, b"USER /x\r\n"), (OUT, b"230 Hi\r\n"), (IN, b"Host: evil.example\r\n"), PORT]
    )
    assert (heard.left, heard.places) == (True, [])


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 400 Bad\r\n", b"\x15\x03", b"SSH-2.0-x\r\n", b"hello\r\n", b"2200 x\r\n", b"+OK\r\n"],
    ids=repr,
)
def test_a_server_that_does_not_begin_like_ftp(first: bytes) -> None:
    """The other side of the same."""
    assert hear(Ftp(), [(OUT, first)]).left


@pytest.mark.parametrize("begun", [b"2229", b"22x", b"6", b"220x", b"2200 ", b"\xff\xf12229"], ids=repr)
def test_a_server_that_begins_otherwise_is_left_before_its_line_ends(begun: bytes) -> None:
    assert hear(Ftp(), [(OUT, begun)]).left


@pytest.mark.parametrize("begun", [b"2", b"22", b"220", b"220 ", b"220-x", b"220\r", b"\xff", b"\xff\xfb"])
def test_a_server_that_may_go_on_like_ftp_is_not_left(begun: bytes) -> None:
    assert not hear(Ftp(), [(OUT, begun)]).left


def test_helper_cpu_bomb() -> None:
    """Helper CPU bomb: a line without an end does not wait, and ends the helper."""
    heard = client_says(*[b"A"] * LONGEST)
    assert not heard.left
    heard.hear(IN, b"A")
    assert heard.left


def test_too_many_ports_at_once() -> None:
    """Nobody means so many; it is no fault of the helper's."""
    heard = client_says(PORT[1] * (MOST_FOUND + 1))
    assert (len(heard.places), heard.left) == (MOST_FOUND, True)

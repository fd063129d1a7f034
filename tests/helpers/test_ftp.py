"""FTP: what is found, what must not be, and that no cutting of the stream makes a difference."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.talk import CLIENT, IN, OUT, cut, endpoints, hear, texts, written
from nfmasq.helpers.base import MOST_FOUND, Found, Side
from nfmasq.helpers.ftp import LONGEST, Ftp
from nfmasq.helpers.listener import Listener

Said = tuple[Side, bytes]

LOGIN: Sequence[Said] = (
    (OUT, b"220 ready\r\n"),
    (IN, b"USER ann\r\n"),
    (OUT, b"331 Password\r\n"),
    (IN, b"PASS secret\r\n"),
    (OUT, b"230 Logged in\r\n"),
)
FORWARDED_LOGIN = tuple((side.other, text) for side, text in LOGIN)


def client_says(*lines: bytes, helper: Ftp | None = None) -> Listener:
    """What an internal client says after its login, each line in a segment."""
    return hear(helper or Ftp(), [*LOGIN, *((IN, line) for line in lines)])


def server_says(command: bytes, *replies: bytes, helper: Ftp | None = None) -> Listener:
    """What an internal server answers to an external client's command."""
    said = [*FORWARDED_LOGIN, (OUT, command), *((IN, reply) for reply in replies)]
    return hear(helper or Ftp(), said, inside_began=False)


@pytest.mark.parametrize(
    ("line", "span", "endpoint"),
    [
        (b"PORT 192,168,1,10,19,136\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"port 192,168,1,10,19,136\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"PoRt  192,168,1,10,19,136 \n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"PORT 192,168,001,010,019,0136\r\n", b"192,168,001,010,019,0136", (str(CLIENT), 5000)),
        (b"PORT 192,168,1,10,255,255\r\n", b"192,168,1,10,255,255", (str(CLIENT), 65535)),
        (b"EPRT |1|192.168.1.10|5000|\r\n", b"192.168.1.10|5000", (str(CLIENT), 5000)),
        (b"eprt !1!192.168.1.10!5000!\r\n", b"192.168.1.10!5000", (str(CLIENT), 5000)),
        (b"EPRT |01|192.168.1.10|5000|\r\n", b"192.168.1.10|5000", (str(CLIENT), 5000)),
        (b"EPRT .1.192.168.1.10.5000.\r\n", b"192.168.1.10.5000", (str(CLIENT), 5000)),
        (b"EPRT d1d192.168.1.10d5000d\r\n", b"192.168.1.10d5000", (str(CLIENT), 5000)),
        (b"EPRT |1|192.168.001.010|05000|\r\n", b"192.168.001.010|05000", (str(CLIENT), 5000)),
        (b"\xff\xf4\xff\xf2PORT 192,168,1,10,19,136\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"\xff\xfb\x01PORT 192,168,1,10,19,136\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
    ],
    ids=lambda value: repr(value) if isinstance(value, bytes) else None,
)
def test_an_internal_client_says_where_it_waits(line: bytes, span: bytes, endpoint: tuple[str, int]) -> None:
    """PORT and EPRT: any case, leading zeros, any delimiter, Telnet commands in front."""
    heard = client_says(line)
    assert texts(heard, [*LOGIN, (IN, line)]) == [span]
    assert endpoints(heard) == [endpoint]
    assert not heard.waiting[IN]


def test_eprt_keeps_the_clients_delimiter() -> None:
    """RFC 2428: the delimiter is the client's choice."""
    heard = client_says(line := b"EPRT #1#192.168.1.10#5000#\r\n")
    assert written(heard, [*LOGIN, (IN, line)])[-1] == (IN, b"EPRT #1#203.0.113.2#40000#\r\n")


def test_port_is_written_as_six_numbers() -> None:
    """Everything else of the line stays, byte by byte."""
    heard = client_says(line := b"port   192,168,1,10,0,21\r\n")
    assert written(heard, [*LOGIN, (IN, line)], 0x1234)[-1] == (IN, b"port   203,0,113,2,18,52\r\n")


@pytest.mark.parametrize(
    "line",
    [
        b"PORT 192,168,1,256,19,136\r\n",
        b"PORT 192,168,1,10,256,1\r\n",
        b"PORT 192,168,1,10,19,136,7\r\n",
        b"PORT 192,168,1,10,19\r\n",
        b"PORT 192,168,1,10,19,136x\r\n",
        b"PORT 192,168,1,-10,19,136\r\n",
        b"PORT 192,168,1,10,19,13\xff\xf46\r\n",
        b"PORT 192,168,1,4294967306,19,136\r\n",
        b"EPRT |1|192.168.1.10|65536|\r\n",
        b"EPRT |1|192.168.1.256|5000|\r\n",
        b"EPRT |1|192.168.1|5000|\r\n",
        b"EPRT |1|192.168.1.10|5000\r\n",
        b"EPRT |1!192.168.1.10|5000|\r\n",
        b"EPRT 1112.168.1.101500001\r\n",
    ],
    ids=repr,
)
def test_what_is_written_wrong_is_refused(line: bytes) -> None:
    """Octets past 255 do not wrap, numbers end where they should (CVE-2026-80603), nothing is guessed."""
    heard = client_says(line)
    assert not heard.places
    assert heard.refused == ["malformed"]


def test_eprt_of_ipv6_is_left_alone() -> None:
    """Protocol 2 is none of this NAT's."""
    heard = client_says(b"EPRT |2|2001:db8::1|5000|\r\n")
    assert (heard.places, heard.refused, heard.left) == ([], [], False)


@pytest.mark.parametrize(
    "line",
    [
        b"STOR PORT 192,168,1,10,19,136\r\n",
        b"XPORT 192,168,1,10,19,136\r\n",
        b" PORT 192,168,1,10,19,136\r\n",
        b"NOOP\rPORT 192,168,1,10,19,136\r\n",
        b"NOOP\0PORT 192,168,1,10,19,136\r\n",
        b"PORT192,168,1,10,19,136\r\n",
        b"SITE x\xff\xf4PORT 192,168,1,10,19,136\r\n",
    ],
    ids=repr,
)
def test_port_counts_only_at_the_beginning_of_a_line(line: bytes) -> None:
    """In an argument, or behind anything but Telnet commands, it is text."""
    assert not client_says(line).places


def test_several_commands_in_one_segment() -> None:
    """Pipelining: each is found, the second as well as the first."""
    line = b"PORT 192,168,1,10,19,136\r\nLIST\r\nEPRT |1|192.168.1.10|5001|\r\nPORT 192,168,1,10,19,138\r\n"
    assert [port for _, port in endpoints(client_says(line))] == [5000, 5001, 5002]


def test_data_comes_from_the_server_alone() -> None:
    """An FTP data connection is the other end's, from any port of its (RFC 959 says 20, many differ)."""
    (place,) = client_says(b"PORT 192,168,1,10,19,136\r\n").places
    assert isinstance(place.what, Found)
    assert (place.what.transport, place.what.anyone, place.what.from_port) == ("tcp", False, 0)


@pytest.mark.parametrize(
    ("command", "reply", "span", "endpoint"),
    [
        (b"PASV", b"227 Passive Mode (192,168,1,10,19,136)\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"pasv", b"227 =192,168,1,10,19,136\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"PASV", b"227 Way 2 (192,168,1,10,19,136).\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"PASV", b"\xff\xfc\x06227 192,168,1,10,19,136\r\n", b"192,168,1,10,19,136", (str(CLIENT), 5000)),
        (b"PASV", b"227-a\r\n 227 9,9\r\n227 192,168,1,10,4,5\r\n", b"192,168,1,10,4,5", (str(CLIENT), 1029)),
        (b"PASV", b"227 Entering 192,168,01,010,19,136\n", b"192,168,01,010,19,136", (str(CLIENT), 5000)),
        (b"EPSV", b"229 Entering Extended Passive Mode (|||5000|)\r\n", b"5000", (None, 5000)),
        (b"EPSV 1", b"229 Extended (!!!05000!)\r\n", b"05000", (None, 5000)),
    ],
    ids=lambda value: repr(value) if isinstance(value, bytes) else None,
)  # fmt: skip
def test_an_internal_server_says_where_it_waits(
    command: bytes, reply: bytes, span: bytes, endpoint: tuple[str | None, int]
) -> None:
    """227 and 229 are rewritten when the server is the internal side."""
    heard = server_says(command + b"\r\n", reply)
    said = [*FORWARDED_LOGIN, (OUT, command + b"\r\n"), (IN, reply)]
    assert texts(heard, said) == [span]
    assert endpoints(heard) == [endpoint]


@pytest.mark.parametrize(
    "reply",
    [
        b"227 Entering Passive Mode (192,168,1,10,256,1)\r\n",
        b"227 Entering Passive Mode (192,168,1,999,19,136)\r\n",
        b"229 Entering Extended Passive Mode (|||65536|)\r\n",
    ],
    ids=repr,
)
def test_a_reply_out_of_range_is_refused(reply: bytes) -> None:
    """As in commands: nothing wraps."""
    heard = server_says(b"PASV\r\n" if reply.startswith(b"227") else b"EPSV\r\n", reply)
    assert (heard.places, heard.refused) == ([], ["malformed"])


@pytest.mark.parametrize(
    "reply",
    [
        b"227 Entering Passive Mode (192,168,1,10,19)\r\n",
        b"227 Entering Passive Mode (1,192,168,1,10,19,136)\r\n",
        b"229 Entering Extended Passive Mode (|1|192.168.1.10|5000|)\r\n",
        b"229 Entering Extended Passive Mode (||5000|)\r\n",
    ],
    ids=repr,
)
def test_a_reply_without_an_endpoint_says_nothing(reply: bytes) -> None:
    """What does not have the form RFC 959 and 2428 give it is text."""
    assert not server_says(b"PASV\r\n" if reply.startswith(b"227") else b"EPSV\r\n", reply).places


def test_227_answers_pasv_and_nothing_else() -> None:
    """A reply nobody asked for opens nothing, nor does a line within a reply of several lines."""
    reply = b"227 Entering Passive Mode (192,168,1,10,19,136)\r\n"
    assert not server_says(b"NOOP\r\n", reply).places
    assert not server_says(b"PASV\r\n", b"211-Status\r\n" + reply + b"211 End\r\n").places
    assert not server_says(b"PASV\r\n", b"500 No\r\n", reply).places
    assert server_says(b"PASV\r\n", b"211-Status\r\n211 End\r\n", reply).places


def test_replies_are_told_apart_when_commands_are_pipelined() -> None:
    """However many replies ABOR has, the 227 is the PASV's."""
    reply = b"227 Entering Passive Mode (192,168,1,10,19,136)\r\n"
    for aborted in (b"", b"426 Broken off\r\n226 Done\r\n", b"426 Broken off\r\n226 Done\r\n225 Done\r\n"):
        heard = server_says(b"RETR x\r\nABOR\r\nPASV\r\n", b"150 Now\r\n", aborted + reply)
        assert endpoints(heard) == [(str(CLIENT), 5000)]


def test_an_external_servers_227_is_only_read() -> None:
    """The internal client will call by itself: nothing to open, nothing to write."""
    heard = client_says(b"PASV\r\n")
    heard.hear(OUT, b"227 Entering Passive Mode (203,0,113,10,19,136)\r\n")
    assert (heard.places, heard.refused, heard.waiting[OUT]) == ([], [], b"")


def test_pasv_reply_naming_third_host() -> None:
    """PASV reply naming third host: passed on, no state, counted."""
    heard = client_says(b"PASV\r\n")
    heard.hear(OUT, b"227 Entering Passive Mode (198,51,100,1,19,136)\r\n")
    assert (heard.places, heard.refused) == ([], ["forged"])


@pytest.mark.parametrize(
    "line", [b"PORT 192,168,1,20,19,136\r\n", b"EPRT |1|198.51.100.1|5000|\r\n"], ids=repr
)
def test_port_arbitrary_ip(line: bytes) -> None:
    """CVE-2001-0405, CVE-1999-0017, slipstreaming v2: a third host's address is shown for what it is."""
    ((address, _),) = endpoints(client_says(line))
    assert address != str(CLIENT)  # the engine refuses it: it is not the speaker's own
    heard = client_says(line, helper=Ftp(fxp=True))
    assert (heard.places, heard.refused) == ([], [])  # allowed is only the text, never a way in


def test_fxp_lets_another_server_meet_an_internal_one() -> None:
    """Where it is allowed the data connection need not come from who asked for it."""
    reply = b"227 Entering Passive Mode (192,168,1,10,19,136)\r\n"
    for fxp in (False, True):
        (place,) = server_says(b"PASV\r\n", reply, helper=Ftp(fxp=fxp)).places
        assert isinstance(place.what, Found)
        assert place.what.anyone is fxp
    heard = client_says(b"PASV\r\n", helper=Ftp(fxp=True))
    heard.hear(OUT, b"227 Entering Passive Mode (198,51,100,1,19,136)\r\n")
    assert not heard.refused


def test_alg_in_wrong_direction() -> None:
    """ALG in wrong direction: what the external side says never opens anything."""
    heard = client_says(b"NOOP\r\n")
    heard.hear(OUT, b"PORT 192,168,1,10,19,136\r\n227 Entering (192,168,1,10,19,136)\r\n")
    assert not heard.places
    heard = server_says(b"PORT 192,168,1,10,19,136\r\nEPRT |1|192.168.1.10|5000|\r\n")
    assert not heard.places
    heard = hear(Ftp(), [*FORWARDED_LOGIN, (IN, b"PORT 192,168,1,10,19,136\r\n")], inside_began=False)
    assert not heard.places


PORT = (IN, b"PORT 192,168,1,10,19,136\r\n")


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
    assert (heard.places, heard.refused) == ([], ["not_allowed"])


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
    assert (heard.places, heard.refused) == ([], ["not_allowed"])


def test_epsv_all_refuses_port_unless_the_server_refused_it() -> None:
    """The client bound itself; a server that knows no EPSV ALL set it free."""
    assert client_says(b"epsv all\r\n", PORT[1]).refused == ["not_allowed"]
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


def test_helper_cpu_bomb() -> None:
    """Helper CPU bomb: a line without an end is held by nobody, and ends the helper."""
    heard = client_says(*[b"A"] * LONGEST)
    assert not heard.left
    heard.hear(IN, b"A")
    assert heard.left


def test_too_many_ports_at_once() -> None:
    """Nobody means so many; it is no fault of the helper's."""
    heard = client_says(PORT[1] * (MOST_FOUND + 1))
    assert (len(heard.places), heard.left) == (MOST_FOUND, True)


def test_no_more_is_held_back_than_the_message_needs() -> None:
    """Of a PORT its numbers, of everything else nothing."""
    heard = client_says(b"STOR lon")
    assert heard.waiting[IN] == b""
    heard = client_says(b"\xff\xf4PO", b"RT ", b"192,168")
    assert heard.waiting[IN] == b"192,168"
    heard.hear(IN, b",1,10,19,136\r\nRETR x")
    assert heard.waiting[IN] == b""
    assert endpoints(heard) == [(str(CLIENT), 5000)]
    heard = server_says(b"PASV\r\n", b"227 Ent")
    assert heard.waiting[IN] == b"Ent"


CONVERSATION: Sequence[Said] = (
    (OUT, b"220-Welcome\r\n220 ready\r\n"),
    (IN, b"AUTH TLS\r\n"),
    (OUT, b"502 No\r\n"),
    (IN, b"USER ann\r\nPASS x\r\n"),
    (OUT, b"331 Password\r\n230-Hello\r\n 220 x\r\n230 Logged in\r\n"),
    (IN, b"PORT 192,168,1,10,19,136\r\nRETR PORT\r\n\xff\xf4\xff\xf2ABOR\r\nPORT 192,168,1,10,256,1\r\n"),
    (OUT, b"200 ok\r\n150 Now\r\n426 Off\r\n226 Done\r\n500 What?\r\n"),
    (IN, b"EPRT |1|192.168.1.10|5001|\r\nEPRT |2|::1|5002|\r\nPASV\r\nport 192,168,001,10,19,138\r\n"),
    (OUT, b"200 ok\r\n522 No\r\n227 Here (198,51,100,1,4,5)\r\n200 ok\r\n"),
    (IN, b"EPSV ALL\r\nPORT 192,168,1,10,19,139\r\n"),
)


@given(st.lists(st.integers(1, 12), max_size=120))
def test_any_cutting_gives_the_same(lengths: list[int]) -> None:
    """Whatever the segments: the same endpoints, at the same places, and the same refusals."""
    whole = hear(Ftp(), CONVERSATION)
    assert [port for _, port in endpoints(whole)] == [5000, 5001, 5002]
    assert whole.refused == ["malformed", "forged", "not_allowed"]
    pieces = hear(Ftp(), cut(CONVERSATION, lengths))
    assert [place[:3] for place in pieces.places] == [place[:3] for place in whole.places]
    assert (endpoints(pieces), pieces.refused) == (endpoints(whole), whole.refused)


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.sampled_from(["PORT", "EPRT"]))
def test_what_is_written_is_found_again(address: object, port: int, form: str) -> None:
    """Every endpoint survives being written and read."""
    heard = client_says({"PORT": PORT[1], "EPRT": b"EPRT ,1,192.168.1.10,5000,\r\n"}[form])
    (place,) = heard.places
    text = place.what.write(address, port)  # type: ignore[arg-type]
    line = b"PORT %s\r\n" % text if form == "PORT" else b"EPRT ,1,%s,\r\n" % text
    assert endpoints(client_says(line)) == [(str(address), port)]

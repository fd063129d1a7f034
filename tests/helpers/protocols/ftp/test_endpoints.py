"""FTP: what is found and written, and that no cutting of the stream makes a difference."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dialogues import CLIENT, IN, OUT, cut, endpoints, hear, texts, written

from helpers.protocols.ftp.sayings import LOGIN, PORT, Said, client_says, server_says
from nfmasq.helpers.kit.base import Found
from nfmasq.helpers.protocols.ftp import Ftp


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
    assert heard.not_acted_on == ["malformed"]


def test_eprt_of_ipv6_is_left_alone() -> None:
    """Protocol 2 is none of this NAT's."""
    heard = client_says(b"EPRT |2|2001:db8::1|5000|\r\n")
    assert (heard.places, heard.not_acted_on, heard.left) == ([], [], False)


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


def test_an_external_servers_227_is_only_read() -> None:
    """The internal client will call by itself: nothing to open, nothing to write."""
    heard = client_says(b"PASV\r\n")
    heard.hear(OUT, b"227 Entering Passive Mode (203,0,113,10,19,136)\r\n")
    assert (heard.places, heard.not_acted_on, heard.waiting[OUT]) == ([], [], b"")


def test_pasv_reply_naming_third_host() -> None:
    """PASV reply naming third host: passed on, no state, counted."""
    heard = client_says(b"PASV\r\n")
    heard.hear(OUT, b"227 Entering Passive Mode (198,51,100,1,19,136)\r\n")
    assert (heard.places, heard.not_acted_on) == ([], ["forged"])


@pytest.mark.parametrize(
    "line", [b"PORT 192,168,1,20,19,136\r\n", b"EPRT |1|198.51.100.1|5000|\r\n"], ids=repr
)
def test_port_arbitrary_ip(line: bytes) -> None:
    """CVE-2001-0405, CVE-1999-0017, slipstreaming v2: a third host's address is shown for what it is."""
    ((address, _),) = endpoints(client_says(line))
    assert address != str(CLIENT)  # the engine refuses it: it is not the speaker's own
    heard = client_says(line, helper=Ftp(fxp=True))
    assert (heard.places, heard.not_acted_on) == ([], [])  # allowed is only the text, never a way in


def test_no_more_waits_than_the_message_needs() -> None:
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


SESSION: Sequence[Said] = (
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


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), max_size=120))
def test_any_cutting_gives_the_same(lengths: list[int]) -> None:
    """Whatever the segments: the same endpoints, at the same places, and the same refusals."""
    whole = hear(Ftp(), SESSION)
    assert [port for _, port in endpoints(whole)] == [5000, 5001, 5002]
    assert whole.not_acted_on == ["malformed", "forged", "not_allowed"]
    pieces = hear(Ftp(), cut(SESSION, lengths))
    assert [place[:3] for place in pieces.places] == [place[:3] for place in whole.places]
    assert (endpoints(pieces), pieces.not_acted_on) == (endpoints(whole), whole.not_acted_on)


@given(st.ip_addresses(v=4), st.integers(0, 65535), st.sampled_from(["PORT", "EPRT"]))
def test_what_is_written_is_found_when_read(address: object, port: int, form: str) -> None:
    """Every endpoint survives being written and read."""
    heard = client_says({"PORT": PORT[1], "EPRT": b"EPRT ,1,192.168.1.10,5000,\r\n"}[form])
    (place,) = heard.places
    text = place.what.write(address, port)  # type: ignore[arg-type, call-arg, misc]
    line = b"PORT %s\r\n" % text if form == "PORT" else b"EPRT ,1,%s,\r\n" % text
    assert endpoints(client_says(line)) == [(str(address), port)]

"""IRC: what DCC names, and that no cutting of the stream makes a difference."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dialogues import CLIENT, IN, OUT, cut, endpoints, hear, texts, written

from helpers.protocols.irc.sayings import ADDRESS, LOGIN, Said, client_says, dcc
from nfmasq.helpers.kit.base import Found, Mentioned, Named
from nfmasq.helpers.protocols.irc import Irc


@pytest.mark.parametrize(
    ("line", "span", "port"),
    [
        (b"PRIVMSG bob :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"SEND a.txt", ADDRESS, b"5000 99") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"SEND a.txt", ADDRESS, b"5000 99 7") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"TSEND a.txt", ADDRESS, b"5000 99") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"SSEND a.txt", ADDRESS, b"5000 99") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"SCHAT chat", ADDRESS, b"5000") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"STSEND x", ADDRESS, b"5000") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"RECV x", ADDRESS, b"5000 0") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"CHAT chat 192.168.1.10 5000") + b"\r\n", b"192.168.1.10 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b"MOVE x", ADDRESS, b"5000") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b'SEND "a b c"', ADDRESS, b"5000 9") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :" + dcc(b'SEND "1 2 3"', ADDRESS, b"5000 9") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"privmsg bob :" + dcc(b"send a", ADDRESS, b"5000").lower() + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"NOTICE bob :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\n", ADDRESS + b" 5000", 5000),
        (b":ann PRIVMSG bob :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\n", ADDRESS + b" 5000", 5000),
        (b"@a=1;b :ann PRIVMSG b :" + dcc(b"CHAT c", ADDRESS, b"5000") + b"\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG a,#b  :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG bob :\x01DCC CHAT chat " + ADDRESS + b" 5000\r\n", ADDRESS + b" 5000", 5000),
        (b"PRIVMSG b :" + dcc(b"SEND  a  0" + ADDRESS, b" 05000") + b"\n", b"0" + ADDRESS + b"  05000", 5000),
        (b"PRIVMSG bob :look " + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n", ADDRESS + b" 5000", 5000),
    ],
    ids=lambda value: repr(value) if isinstance(value, bytes) else None,
)  # fmt: skip
def test_an_offer_says_where_the_client_waits(line: bytes, span: bytes, port: int) -> None:
    """Every kind of offer, with tags, prefix, quoted names and leading zeros."""
    heard = client_says(line)
    assert texts(heard, [*LOGIN, (IN, line)]) == [span]
    assert endpoints(heard) == [(str(CLIENT), port)]
    (place,) = heard.places
    assert isinstance(place.what, Found)
    assert place.what.anyone  # the peer is known to the server alone
    assert (place.what.transport, place.what.reuse) == ("tcp", False)


def test_nothing_but_the_endpoint_changes() -> None:
    """CVE-2014-1690: the bytes around it are the same, one by one."""
    line = b'@x=y PRIVMSG bob :hi \x01DCC SEND "DCC SEND 1 2" ' + ADDRESS + b" 5000 77\x01 bye\r\n"
    heard = client_says(line)
    expected = b'@x=y PRIVMSG bob :hi \x01DCC SEND "DCC SEND 1 2" 3405803778 40000 77\x01 bye\r\n'
    assert written(heard, [*LOGIN, (IN, line)])[-1] == (IN, expected)


def test_several_in_a_line() -> None:
    """Each of them, and plain text between two is no message."""
    one, two = dcc(b"CHAT chat", ADDRESS, b"5000"), dcc(b"SEND x", ADDRESS, b"5001 3")
    assert [port for _, port in endpoints(client_says(b"PRIVMSG bob :" + one + two + b"\r\n"))] == [
        5000,
        5001,
    ]
    between = b"\x01ACTION x\x01DCC CHAT chat " + ADDRESS + b" 5000\x01VERSION\x01"
    assert not client_says(b"PRIVMSG bob :" + between + b"\r\n").places


@pytest.mark.parametrize(
    "line",
    [
        b"PRIVMSG bob :DCC CHAT chat " + ADDRESS + b" 5000\r\n",
        b"PRIVMSG bob :x\r\x01DCC CHAT chat " + ADDRESS + b" 5000\x01\r\n",
        b"X\rPRIVMSG bob :\x01DCC CHAT chat " + ADDRESS + b" 5000\x01\r\n",
        b"PRIVMSG bob :x\0\x01DCC CHAT chat " + ADDRESS + b" 5000\x01\r\n",
        b"TOPIC #a :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n",
        b"PRIVMSG " + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n",
        b"PRIVMSG bob " + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n",
        b"PRIVMSG bob x :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n",
        b"@a=\x01DCC CHAT chat " + ADDRESS + b" 5000\x01 PRIVMSG bob :x\r\n",
        b"PRIVMSG bob :\x01XDCC CHAT chat " + ADDRESS + b" 5000\x01\r\n",
        b"PRIVMSG bob :\x01 DCC CHAT chat " + ADDRESS + b" 5000\x01\r\n",
        b"X PRIVMSG bob :" + dcc(b"CHAT chat", ADDRESS, b"5000") + b"\r\n",
        b"PRIVMSG bob :" + dcc(b"GET x", ADDRESS, b"5000") + b"\r\n",
        b"PRIVMSG bob :" + dcc(b"RESUME x", b"5000 12") + b"\r\n",
    ],
    ids=repr,
)
def test_irc_message_handling_confused(line: bytes) -> None:
    """CVE-2022-2663: DCC counts between two \\x01 in the text of a PRIVMSG or NOTICE, nowhere else."""
    heard = client_says(line)
    assert (heard.places, heard.not_acted_on) == ([], [])


@pytest.mark.parametrize(
    "words",
    [
        (b"CHAT chat 4294967296 5000",),
        (b"CHAT chat 7517902538 5000",),
        (b"CHAT chat", ADDRESS, b"65536"),
        (b"CHAT chat", ADDRESS, b"70536"),
        (b"CHAT chat", ADDRESS, b"5000x"),
        (b"CHAT chat", ADDRESS + b"x 5000"),
        (b"CHAT chat", ADDRESS),
        (b"CHAT chat 192.168.1.256 5000",),
        (b"CHAT chat 192.168.1 5000",),
        (b"CHAT chat 192.168.1.10. 5000",),
        (b"CHAT chat 192.168.1.10 65536",),
        (b"CHAT chat -1 5000",),
        (b"CHAT chat 0xc0a8010a 5000",),
        (b"CHAT chat", ADDRESS, b"0" * 30 + b"5000"),
        (b"ACCEPT x y",),
        (b"ACCEPT x 65536 12",),
    ],
    ids=repr,
)
def test_digit_run_to_the_end(words: Sequence[bytes]) -> None:
    """CVE-2026-53268, CVE-2026-80603: a number ends where it should, and does not wrap."""
    heard = client_says(b"PRIVMSG bob :" + dcc(*words) + b"\r\n")
    assert (heard.places, heard.not_acted_on) == ([], ["malformed"])


def test_forged_dcc() -> None:
    """CVE-2002-0060: another host's address is shown for what it is, and opens nothing."""
    ((address, _),) = endpoints(client_says(b"PRIVMSG b :" + dcc(b"CHAT c 3232235796 5000") + b"\r\n"))
    assert address == "192.168.1.20"


def test_passive_dcc() -> None:
    """Port 0 and a token: nothing to open. The answer has the token, and a port like any offer."""
    heard = client_says()
    heard.hear(OUT, b":bob!b@h PRIVMSG ann :" + dcc(b"SEND x 3405803786 0 99 42") + b"\r\n")
    assert not heard.places
    heard.hear(IN, b"PRIVMSG bob :" + dcc(b"SEND x", ADDRESS, b"5000 99 42") + b"\r\n")
    assert endpoints(heard) == [(str(CLIENT), 5000)]


@pytest.mark.parametrize("name", [b"x", b'"a b"', b"a b"])
def test_passive_resume_and_accept_are_left_alone(name: bytes) -> None:
    """Their port is 0 and the token tells which offer is meant, whoever made it."""
    heard = client_says()
    for kind in (b"RESUME ", b"ACCEPT "):
        heard.hear(IN, b"PRIVMSG bob :" + dcc(kind + name + b" 0 5000 42") + b"\r\n")
        heard.hear(OUT, b":bob!b@h PRIVMSG ann :" + dcc(kind + name + b" 0 40000 42") + b"\r\n")
    assert (heard.places, heard.not_acted_on) == ([], [])


@pytest.mark.parametrize(
    ("address", "as_heard"), [(ADDRESS, b"3405803778"), (b"192.168.1.10", b"203.0.113.2")], ids=repr
)
def test_the_address_of_a_passive_offer_is_hidden(address: bytes, as_heard: bytes) -> None:
    """Port and token stay; there is nothing to expect."""
    line = b"PRIVMSG bob :" + dcc(b"SEND x", address, b"0 99 42") + b"\r\n"
    heard = client_says(line)
    (place,) = heard.places
    assert isinstance(place.what, Named)
    assert written(heard, [*LOGIN, (IN, line)])[-1][1] == line.replace(address, as_heard)
    assert heard.not_acted_on == []


def test_passive_with_an_address_of_nobody() -> None:
    """Some programs write any number there; it is shown for what it is, and nobody counts it as forged."""
    ((address, _),) = endpoints(client_says(b"PRIVMSG b :" + dcc(b"SEND x 199 0 99 42") + b"\r\n"))
    assert address == "0.0.0.199"


def test_dotted_addresses_stay_dotted() -> None:
    """Each program writes as its peer may expect it."""
    line = b"PRIVMSG bob :" + dcc(b"SEND x 192.168.001.010  5000 99") + b"\r\n"
    heard = client_says(line)
    assert endpoints(heard) == [(str(CLIENT), 5000)]
    assert b"SEND x 203.0.113.2  40000 99\x01" in written(heard, [*LOGIN, (IN, line)])[-1][1]


def test_ipv6_is_left_alone() -> None:
    """None of this NAT's."""
    heard = client_says(b"PRIVMSG bob :" + dcc(b"CHAT chat 2001:db8::1 5000") + b"\r\n")
    assert (heard.places, heard.not_acted_on) == ([], [])


@pytest.mark.parametrize(
    "name", [b"my file.txt", b'"a\\"b c"', b'"open', b"7 8", b"a 3232235796 5999 b", b"a " + ADDRESS + b"x 1"]
)
def test_names_with_spaces_without_quotes(name: bytes) -> None:
    """The endpoint is the one with the speaker's own address: none of these stays on the wire."""
    line = b"PRIVMSG bob :" + dcc(b"SEND", name, ADDRESS, b"5000 99") + b"\r\n"
    heard = client_says(line)
    assert endpoints(heard) == [(str(CLIENT), 5000)]
    assert written(heard, [*LOGIN, (IN, line)])[-1][1] == line.replace(
        ADDRESS + b" 5000", b"3405803778 40000"
    )


def test_an_endpoint_in_a_quoted_name_is_none() -> None:
    """What is in quotes is the name, whatever it looks like."""
    name = b'"x ' + ADDRESS + b' 5001 y"'
    heard = client_says(b"PRIVMSG bob :" + dcc(b"SEND", name, b"3232235796 5000 9") + b"\r\n")
    assert endpoints(heard) == [("192.168.1.20", 5000)]


def test_ports_behind_names_with_spaces() -> None:
    """RESUME and ACCEPT: the port comes before the position."""
    heard = client_says(b"PRIVMSG bob :" + dcc(b"ACCEPT my 3 file 5000 100") + b"\r\n")
    heard.hear(OUT, b":bob PRIVMSG ann :" + dcc(b"RESUME my 3 file 40000 100") + b"\r\n")
    assert [port for _, port in endpoints(heard)] == [5000, 40000]


def test_what_a_notice_tells_people_of_an_offer() -> None:
    """Some programs say "DCC Send x (192.168.1.10)" in words, too."""
    line = b"NOTICE bob :DCC Send my file (x).txt (192.168.1.10)\r\n"
    heard = client_says(line)
    assert written(heard, [*LOGIN, (IN, line)])[-1][1] == line.replace(b"192.168.1.10", b"203.0.113.2")
    for other in (b"PRIVMSG bob :DCC Send x (192.168.1.10)\r\n", b"NOTICE bob :see (192.168.1.10)\r\n"):
        assert not client_says(other).places
    heard = client_says()
    heard.hear(OUT, b":bob!b@h " + line)
    assert not heard.places


def test_the_address_the_server_told() -> None:
    """USERHOST: programs ask how they look from outside, and offer that."""
    (place,) = client_says(b"PRIVMSG b :" + dcc(b"CHAT c 3405803778 5000") + b"\r\n").places
    assert isinstance(place.what, Found)
    assert place.what.as_seen


def test_resume_and_accept_name_the_offers_port() -> None:
    """RESUME from outside names the external port, and the client hears its own; ACCEPT names its own."""
    resume = b":bob!b@h PRIVMSG ann :" + dcc(b'RESUME "a b" 40000 10') + b"\r\n"
    accept = b"PRIVMSG bob :" + dcc(b'ACCEPT "a b" 5000 10') + b"\r\n"
    heard = client_says()
    heard.hear(OUT, resume)
    heard.hear(IN, accept)
    mentioned, again = (place.what for place in heard.places)
    assert isinstance(mentioned, Mentioned)
    assert isinstance(again, Found)
    assert (mentioned.port, mentioned.write(CLIENT, 5000)) == (40000, b"5000")
    assert (again.address, again.port, again.reuse, again.anyone) == (None, 5000, True, True)
    assert texts(heard, [*LOGIN, (OUT, resume), (IN, accept)]) == [b"40000", b"5000"]


def test_resume_of_the_others_offer_is_not_ours() -> None:
    """The internal client names the peer's port, and the peer accepts it: nothing of ours in either."""
    heard = client_says(b"PRIVMSG bob :" + dcc(b"RESUME x 6000 10") + b"\r\n")
    heard.hear(OUT, b":bob PRIVMSG ann :" + dcc(b"ACCEPT x 6000 10") + b"\r\n")
    assert (heard.places, heard.not_acted_on) == ([], [])


def test_no_more_waits_than_the_message_needs() -> None:
    """Of a line that has begun, only what may be DCC."""
    heard = client_says(b"PRIVMSG bob :hello \x01ACTION waves\x01 \x01")
    assert heard.waiting[IN] == b""
    heard.hear(IN, b"DC")
    assert heard.waiting[IN] == b"DC"
    heard.hear(IN, b"X \x01\r\n")
    assert heard.waiting[IN] == b""


SESSION: Sequence[Said] = (
    (OUT, b"NOTICE AUTH :***\r\n"),
    (IN, b"CAP LS 302\r\nNICK ann\r\nUSER a 0 * :A\r\n"),
    (OUT, b"@time=1 :irc.example 001 ann :Welcome\r\n"),
    (IN, b"PRIVMSG b :a " + dcc(b'SEND "a b"', ADDRESS, b"5000 1") + b"," + dcc(b"CHAT c", ADDRESS, b"5001")),
    (IN, b"\r\n@a=b NOTICE bob :\x01DCC SEND x " + ADDRESS + b" 99999\x01\r\n"),
    (IN, b"TOPIC #a :\x01DCC CHAT x 1 5009\x01\r\n"),
    (OUT, b":bob!b@h PRIVMSG ann :" + dcc(b"RESUME x 40000 1") + b"\r\n:x 002 ann :y\r\n"),
    (IN, b"PRIVMSG bob :" + dcc(b"ACCEPT x 5000 1") + dcc(b"SEND y", ADDRESS, b"0 1 2") + b"\r\n"),
    (IN, b"NOTICE bob :DCC Chat (192.168.1.10)\r\nNOTICE bob :DCC\r\nPRIVMSG b :DCC x (192.168.1.10)\r\n"),
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), max_size=120))
def test_any_cutting_gives_the_same(lengths: list[int]) -> None:
    """Whatever the segments: the same endpoints, at the same places, and the same refusals."""
    whole = hear(Irc(), SESSION)
    assert [port for _, port in endpoints(whole)] == [5000, 5001, 40000, 5000, 0, 0]
    assert whole.not_acted_on == ["malformed"]
    pieces = hear(Irc(), cut(SESSION, lengths))
    assert [place[:3] for place in pieces.places] == [place[:3] for place in whole.places]
    assert (endpoints(pieces), pieces.not_acted_on) == (endpoints(whole), whole.not_acted_on)

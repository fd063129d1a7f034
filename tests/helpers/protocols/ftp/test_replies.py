"""FTP: the replies in which an internal server says where it listens, in every form that servers write.

What clients make sense of is found, and no internal address is seen outside.
"""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dialogues import CLIENT, IN, OUT, cut, hear, texts, written

from helpers.protocols.ftp.sayings import FORWARDED_LOGIN, LOGIN, Said, announced, server_says
from nfmasq.helpers.kit.base import Found
from nfmasq.helpers.protocols.ftp import Ftp

SIX, ENDPOINT = b"192,168,1,10,19,136", (str(CLIENT), 5000)

FORMS: Sequence[tuple[bytes, bytes, bytes, tuple[str | None, int]]] = (
    # RFC 959 names no brackets; most servers write them
    (b"PASV", b"227 Entering Passive Mode (%b)\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 Entering Passive Mode (%b).\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 Entering Passive Mode. %b\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 Entering Passive Mode. %b.\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 entering passive mode [%b]\n" % SIX, SIX, ENDPOINT),
    (b"pasv", b"227 =%b\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 %b\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 OK (%b), 2 seats left\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 Way 2 (%b)\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 Session 3, %b\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"\xff\xfc\x06227 %b\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227   Entering  ( %b )  \r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227 (192, 168, 1, 10, 19, 136)\r\n", b"192, 168, 1, 10, 19, 136", ENDPOINT),
    (b"PASV", b"227 (192,168,001,010,019,0136)\r\n", b"192,168,001,010,019,0136", ENDPOINT),
    (b"PASV", b"227 (192.168.1.10,19,136)\r\n", b"192.168.1.10,19,136", ENDPOINT),
    # several lines: the endpoint in the first, in the last, in one between
    (b"PASV", b"227-Entering Passive Mode (%b)\r\n227 go on\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227-Entering\r\n 227 9,9\r\n227 (%b)\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"227-Entering\r\n %b\r\n227 go on\r\n" % SIX, SIX, ENDPOINT),
    # one command answered by the other's code, or in the other's form
    (b"EPSV", b"227 Entering Passive Mode (%b)\r\n" % SIX, SIX, ENDPOINT),
    (b"PASV", b"229 Entering Extended Passive Mode (|||5000|)\r\n", b"5000", (None, 5000)),
    (b"PASV", b"227 Entering Passive Mode (|||5000|)\r\n", b"5000", (None, 5000)),
    (b"EPSV", b"229 Entering Passive Mode (%b)\r\n" % SIX, SIX, ENDPOINT),
    # RFC 2428
    (b"EPSV", b"229 Entering Extended Passive Mode (|||5000|)\r\n", b"5000", (None, 5000)),
    (b"EPSV", b"229 Entering Extended Passive Mode (|||5000|).\r\n", b"5000", (None, 5000)),
    (b"EPSV", b"229 extended passive ok |||5000|\r\n", b"5000", (None, 5000)),
    (b"EPSV 1", b"229 Extended (!!!05000!)\r\n", b"05000", (None, 5000)),
    (b"EPSV", b"229 Extended (###5000#)\r\n", b"5000", (None, 5000)),
    (b"EPSV", b"229-Extended (|||5000|)\r\n229 go on\r\n", b"5000", (None, 5000)),
    (b"EPSV", b"229 Extended (|1|192.168.1.10|5000|)\r\n", b"192.168.1.10|5000", ENDPOINT),
)


def name(value: object) -> str | None:
    """A form is known by its text."""
    return repr(value) if isinstance(value, bytes) else None


@pytest.mark.parametrize(("command", "reply", "span", "endpoint"), FORMS, ids=name)
def test_what_a_client_makes_sense_of_is_found(
    command: bytes, reply: bytes, span: bytes, endpoint: tuple[str | None, int]
) -> None:
    heard = server_says(command + b"\r\n", reply)
    said = [*FORWARDED_LOGIN, (OUT, command + b"\r\n"), (IN, reply)]
    assert (texts(heard, said), announced(heard)) == ([span], [endpoint])
    assert not heard.not_acted_on
    assert not heard.waiting[IN]


@pytest.mark.parametrize(("command", "reply", "span", "endpoint"), FORMS, ids=name)
def test_what_is_written_is_found_in_the_same_form(
    command: bytes, reply: bytes, span: bytes, endpoint: tuple[str | None, int]
) -> None:
    """Between the numbers all stays as it was."""
    said = [*FORWARDED_LOGIN, (OUT, command + b"\r\n"), (IN, reply)]
    (_, new), between = written(hear(Ftp(), said, inside_began=False), said)[-1], re.compile(rb"\d+")
    assert between.sub(b"", new) == between.sub(b"", reply)
    assert new != reply


@pytest.mark.parametrize(("command", "reply"), [form[:2] for form in FORMS], ids=name)
def test_byte_by_byte_it_is_found_as_well(command: bytes, reply: bytes) -> None:
    """No byte of an address goes before its line is whole."""
    before = [*FORWARDED_LOGIN, (OUT, command + b"\r\n")]
    whole = hear(Ftp(), [*before, (IN, reply)], inside_began=False)
    bytewise = hear(Ftp(), [*before, *((IN, bytes([byte])) for byte in reply)], inside_began=False)
    assert [place[:3] for place in bytewise.places] == [place[:3] for place in whole.places]


def shows(text: bytes) -> bool:
    """Are the numbers of the internal address to be read somewhere?"""
    return re.search(rb"(?<!\d)192\D{1,3}168\D{1,3}0*1\D{1,3}0*10(?!\d)", text) is not None


UNASKED: Sequence[Sequence[Said]] = (
    FORWARDED_LOGIN[:1],
    (*FORWARDED_LOGIN[:2], (OUT, b"PASV\r\n")),
    FORWARDED_LOGIN,
    (*FORWARDED_LOGIN, (OUT, b"NOOP\r\n")),
    (*FORWARDED_LOGIN, (OUT, b"EPSV ALL\r\n"), (IN, b"200 Fine\r\n"), (OUT, b"PASV\r\n")),
)


@pytest.mark.parametrize("before", UNASKED, ids=["greeting", "no login", "no command", "NOOP", "EPSV ALL"])
@pytest.mark.parametrize("reply", [*{form[1] for form in FORMS if shows(form[1])}], ids=repr)
def test_a_reply_that_opens_nothing_shows_no_internal_address_either(
    before: Sequence[Said], reply: bytes
) -> None:
    said = [*before, (IN, reply)]
    heard = hear(Ftp(), said, inside_began=False)
    assert announced(heard) == []
    assert not shows(written(heard, said)[-1][1])


@pytest.mark.parametrize(
    "reply",
    [
        b"227 Entering Passive Mode (192,168,1,10,19)\r\n",
        b"227 Entering Passive Mode (192,168,1,10,256,1)\r\n",
        b"227 Entering Passive Mode (192,168,1,10,19,99999999999)\r\n",
        b"227 Connect to 192.168.1.10:5000\r\n",
        b"227 192.168.1.10 says (192,168,1,10,19,136)\r\n",
        b"227 (192,168,1,10,19,136) or (192,168,1,10,19,137)\r\n",
        b"227-ftp on 192.168.1.10\r\n 192 , 168 , 1 , 10 here\r\n227 (192,168,1,10,19,136)\r\n",
        b"228 Entering Long Passive Mode (4,4,192,168,1,10,2,19,136)\r\n",
        b"229 192.168.1.10 listens (|||5000|)\r\n",
        b"229 Extended ([::ffff:192.168.1.10]|5000|)\r\n",
        b"229 Entering Extended Passive Mode (|1|192.168.1.10|65536|)\r\n",
    ],
    ids=repr,
)
def test_no_internal_address_is_shown_whatever_the_form(reply: bytes) -> None:
    said = [*FORWARDED_LOGIN, (OUT, b"PASV\r\n"), (IN, reply)]
    heard = hear(Ftp(), said, inside_began=False)
    assert not shows(written(heard, said)[-1][1])
    assert not heard.left


@pytest.mark.parametrize("address", ["172,17,0,2", "10,0,0,5", "127,0,0,1", "169,254,9,9", "100,64,1,1"])
def test_another_address_that_means_nothing_outside_is_hidden_too(address: str) -> None:
    """A server in a container announces the container's address; no endpoint of a third host is opened."""
    six = f"{address},19,136".encode()
    (place,) = server_says(b"PASV\r\n", b"227 Passive (%b)\r\n" % six).places
    assert isinstance(place.what, Found)
    assert (place.what.hide, str(place.what.address)) == (True, address.replace(",", "."))


def test_a_public_address_of_a_third_host_is_shown_for_what_it_is() -> None:
    (place,) = server_says(b"PASV\r\n", b"227 Passive (198,51,100,1,19,136)\r\n").places
    assert isinstance(place.what, Found)
    assert not place.what.hide


def test_a_server_may_have_been_told_its_external_address() -> None:
    """It announces what its administrator wrote down; the port is its own all the same."""
    (place,) = server_says(b"PASV\r\n", b"227 Passive (203,0,113,2,19,136)\r\n").places
    assert isinstance(place.what, Found)
    assert (place.what.as_seen, place.what.hide, place.what.port) == (True, False, 5000)


@pytest.mark.parametrize(
    "reply",
    [
        b"227 Entering Passive Mode (192,168,1,10,256,1)\r\n",
        b"227 Entering Passive Mode (192,168,1,999,19,136)\r\n",
        b"229 Entering Extended Passive Mode (|||65536|)\r\n",
    ],
    ids=repr,
)
def test_a_reply_out_of_range_is_not_acted_on(reply: bytes) -> None:
    """As in commands: nothing wraps."""
    heard = server_says(b"PASV\r\n", reply)
    assert (announced(heard), heard.not_acted_on) == ([], ["malformed"])


@pytest.mark.parametrize(
    "reply",
    [
        b"227 Entering Passive Mode (192,168,1,10,19)\r\n",
        b"227 Entering Passive Mode...5000.\r\n",
        b"229 Entering Extended Passive Mode (||5000|)\r\n",
        b"229 Entering Extended Passive Mode (|||5000)\r\n",
    ],
    ids=repr,
)
def test_a_reply_without_an_endpoint_announces_nothing(reply: bytes) -> None:
    assert announced(server_says(b"PASV\r\n", reply)) == []


def test_227_answers_pasv_or_epsv_and_nothing_else() -> None:
    """A reply nobody asked for opens nothing, nor does a line within a reply of several lines."""
    reply = b"227 Entering Passive Mode (192,168,1,10,19,136)\r\n"
    assert not announced(server_says(b"NOOP\r\n", reply))
    assert not announced(server_says(b"PASV\r\n", b"211-Status\r\n" + reply + b"211 End\r\n"))
    assert not announced(server_says(b"PASV\r\n", b"500 No\r\n", reply))
    assert announced(server_says(b"PASV\r\n", b"211-Status\r\n211 End\r\n", reply))


def test_one_command_has_one_reply() -> None:
    reply = b"227 Entering Passive Mode (192,168,1,10,19,%d)\r\n"
    assert announced(server_says(b"PASV\r\n", reply % 136, reply % 137)) == [ENDPOINT]
    assert len(announced(server_says(b"EPSV\r\nPASV\r\n", reply % 136, reply % 137))) == 2
    assert announced(server_says(b"EPSV\r\nPASV\r\n", b"500 What?\r\n", reply % 136)) == [ENDPOINT]


def test_replies_are_told_apart_when_commands_are_pipelined() -> None:
    """However many replies ABOR has, the 227 is the PASV's."""
    reply = b"227 Entering Passive Mode (192,168,1,10,19,136)\r\n"
    for aborted in (b"", b"426 Broken off\r\n226 Done\r\n", b"426 Broken off\r\n226 Done\r\n225 Done\r\n"):
        heard = server_says(b"RETR x\r\nABOR\r\nPASV\r\n", b"150 Now\r\n", aborted + reply)
        assert announced(heard) == [ENDPOINT]


@settings(deadline=None)
@given(st.lists(st.integers(1, 12), max_size=80), st.permutations(FORMS))
def test_any_cutting_gives_the_same(
    lengths: list[int], forms: Sequence[tuple[bytes, bytes, bytes, object]]
) -> None:
    """Whatever the segments: the same places, and no byte of an address goes before its line is whole."""
    said: list[Said] = [*FORWARDED_LOGIN]
    for command, reply, *_ in forms:
        said += (OUT, command + b"\r\n"), (IN, reply)
    whole = hear(Ftp(), said, inside_began=False)
    pieces = hear(Ftp(), cut(said, lengths), inside_began=False)
    assert [place[:3] for place in pieces.places] == [place[:3] for place in whole.places]
    assert len(announced(pieces)) == len(FORMS)


def test_an_external_server_s_reply_is_only_read() -> None:
    for _, reply, *_ in FORMS:
        heard = hear(Ftp(), [*LOGIN, (IN, b"PASV\r\n"), (OUT, reply)])
        assert (heard.places, heard.waiting[OUT]) == ([], b"")

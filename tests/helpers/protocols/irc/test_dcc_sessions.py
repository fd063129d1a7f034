"""DCC through the engine and the core: what bob hears of ann's offers, and who may call her then."""

import re
from ipaddress import IPv4Address

import pytest
from support.packets import read, tcp
from support.router import OTHER_CLIENT, OTHER_SERVER

from helpers.engine.bed import CLIENT, SERVER, Bed, Connection
from nfmasq.core.policy import Filtering
from nfmasq.helpers.protocols.irc import Irc

PORT = 6667
OWN = b"%d" % int(CLIENT)
TO_BOB, TO_ANN = b"PRIVMSG bob :\x01DCC %s\x01\r\n", b":bob!b@h PRIVMSG ann :\x01DCC %s\x01\r\n"


class Chat:
    """ann is CLIENT; SERVER has welcomed her."""

    def __init__(self) -> None:
        self.bed = Bed(Irc(), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
        self.connection = Connection(self.bed, port=PORT).open()
        self.external = self.connection.external[0]
        self.ends = [0, 0]
        self.say(0, b"NICK ann\r\nUSER ann 0 * :Ann\r\n")
        self.say(1, b":irc.example 001 ann :Welcome\r\n")

    def say(self, side: int, line: bytes) -> bytes:
        """What is heard for a line."""
        heard = self.connection.say(side, line, at=self.ends[side])
        self.ends[side] += len(line)
        return heard

    def offer(self, words: bytes) -> bytes:
        """What bob hears for ann's."""
        return self.say(0, TO_BOB % words)

    def answer(self, words: bytes) -> bytes:
        """What ann hears for bob's."""
        return self.say(1, TO_ANN % words)

    @property
    def expected(self) -> list[int]:
        """The ports of ann at which somebody is expected."""
        return [row.internal[1] for row in self.bed.table.sessions() if row.state == "expected"]

    @property
    def not_acted_on(self) -> dict[str, int]:
        """What was not_acted_on, by reason."""
        return {why: count for why, count in self.bed.engine.counters()["irc"].not_acted_on.items() if count}

    def comes_to(self, port: int, source: IPv4Address = OTHER_SERVER) -> list[tuple[IPv4Address, int]]:
        """Where a call to the external port ends, if it gets in."""
        sent = self.bed.send(tcp(source, 1234, self.external, port), inbound=True)
        return [read(packet)[2:] for packet in sent]


@pytest.fixture
def chat() -> Chat:
    return Chat()


def port_of(heard: bytes, kind: bytes = b"SEND") -> int:
    """The port of an offer."""
    match = re.search(kind + rb" \S+ \S+ (\d+)", heard)
    assert match, heard
    return int(match[1])


def test_an_offer_lets_one_stranger_in(chat: Chat) -> None:
    heard = chat.offer(b"SEND x %s 5000 9" % OWN)
    assert (b" %d " % int(chat.external)) in heard
    assert chat.comes_to(port_of(heard)) == [(CLIENT, 5000)]
    assert chat.comes_to(port_of(heard), SERVER) == []


def test_an_offer_waits_for_a_person_to_accept_it(chat: Chat) -> None:
    chat.offer(b"SEND x %s 5000 9" % OWN)
    (waits,) = [row.expires_s for row in chat.bed.table.sessions() if row.state == "expected"]
    assert 290 < waits <= 300


def test_a_dotted_offer_is_heard_dotted(chat: Chat) -> None:
    heard = chat.offer(b"SEND x 192.168.1.10 5000 9")
    assert (b" %s " % str(chat.external).encode()) in heard
    assert chat.comes_to(port_of(heard)) == [(CLIENT, 5000)]


@pytest.mark.parametrize("dotted", [False, True])
def test_a_passive_offer_hides_the_address_and_opens_nothing(chat: Chat, dotted: bool) -> None:
    def text(address: IPv4Address) -> bytes:
        return str(address).encode() if dotted else b"%d" % int(address)

    heard = chat.offer(b"SEND x %s 0 9 77" % text(CLIENT))
    assert heard == TO_BOB % (b"SEND x %s 0 9 77" % text(chat.external))
    assert (chat.expected, chat.not_acted_on) == ([], {})
    assert chat.answer(b"SEND x 3405803786 6000 9 77") == TO_ANN % b"SEND x 3405803786 6000 9 77"
    assert chat.expected == []


def test_a_passive_offer_with_another_s_address_stays(chat: Chat) -> None:
    for address in (199, int(OTHER_CLIENT), int(chat.external)):
        line = b"SEND x %d 0 9 77" % address
        assert chat.offer(line) == TO_BOB % line
    assert (chat.expected, chat.not_acted_on) == ([], {})


def test_the_answer_to_a_passive_offer_is_expected(chat: Chat) -> None:
    assert chat.answer(b"SEND x 3405803786 0 9 77") == TO_ANN % b"SEND x 3405803786 0 9 77"
    heard = chat.offer(b"SEND x %s 5000 9 77" % OWN)
    assert heard.endswith(b" 9 77\x01\r\n")
    assert chat.comes_to(port_of(heard)) == [(CLIENT, 5000)]


def test_an_offer_with_the_address_the_server_told(chat: Chat) -> None:
    heard = chat.offer(b"SEND x %d 5000 9" % int(chat.external))
    assert (b" %d " % int(chat.external)) in heard
    assert chat.comes_to(port_of(heard)) == [(CLIENT, 5000)]


@pytest.mark.parametrize("address", [OTHER_CLIENT, OTHER_SERVER, SERVER])
def test_forged_dcc(chat: Chat, address: IPv4Address) -> None:
    line = b"SEND x %d 5000 9" % int(address)
    assert chat.offer(line) == TO_BOB % line
    assert (chat.expected, chat.not_acted_on) == ([], {"forged": 1})


@pytest.mark.parametrize("name", [b"x", b'"a b"', b"a b"])
def test_resume_and_accept_go_back_and_forth(chat: Chat, name: bytes) -> None:
    heard = chat.offer(b"SEND %s %s 5000 9" % (name, OWN))
    match = re.search(rb" (\d+) 9\x01", heard)
    assert match
    port = int(match[1])
    assert chat.answer(b"RESUME %s %d 4" % (name, port)) == TO_ANN % (b"RESUME %s 5000 4" % name)
    assert chat.offer(b"ACCEPT %s 5000 4" % name) == TO_BOB % (b"ACCEPT %s %d 4" % (name, port))
    assert chat.expected == [5000]
    assert chat.comes_to(port) == [(CLIENT, 5000)]


def test_resume_and_accept_of_bob_s_offer_stay(chat: Chat) -> None:
    for say, words in (
        (chat.answer, b"SEND x 3405803786 5000 9"),
        (chat.offer, b"RESUME x 5000 4"),
        (chat.answer, b"ACCEPT x 5000 4"),
        (chat.answer, b"SEND x 3405803786 0 9 77"),
        (chat.offer, b"RESUME x 0 4 77"),
        (chat.answer, b"ACCEPT x 0 4 77"),
    ):
        assert say(words) in {TO_ANN % words, TO_BOB % words}
    assert (chat.expected, chat.not_acted_on) == ([], {})


def test_resume_and_accept_of_a_passive_offer_stay(chat: Chat) -> None:
    chat.offer(b"SEND x %s 0 9 77" % OWN)
    assert chat.answer(b"RESUME x 0 4 77") == TO_ANN % b"RESUME x 0 4 77"
    assert chat.offer(b"ACCEPT x 0 4 77") == TO_BOB % b"ACCEPT x 0 4 77"


def test_several_in_a_line_in_pieces(chat: Chat) -> None:
    text = TO_BOB % (b"CHAT chat %s 5000\x01\x01DCC SEND y %s 5001 9" % (OWN, OWN))
    heard = b"".join(chat.say(0, text[at : at + 5]) for at in range(0, len(text), 5))
    assert OWN not in heard
    assert chat.comes_to(port_of(heard, b"CHAT")) == [(CLIENT, 5000)]
    assert chat.comes_to(port_of(heard)) == [(CLIENT, 5001)]


def test_no_private_address_is_told_in_words(chat: Chat) -> None:
    heard = chat.say(0, b"NOTICE bob :DCC Send x (192.168.1.10)\r\n")
    assert heard == b"NOTICE bob :DCC Send x (%s)\r\n" % str(chat.external).encode()
    assert chat.expected == []


def test_thousands_of_lines_at_once_end_the_helper_there_and_count_as_no_error(chat: Chat) -> None:
    junk = b"\n" * 60000
    assert chat.say(0, junk) == junk
    counted = chat.bed.engine.counters()["irc"]
    assert (counted.sessions, counted.errors) == (0, 0)

"""NAT pinning and slipstreaming: nobody who only uses a helper's port, or places a text well, opens a door.

The real helpers, the engine and the core's table; segments are cut as an attacker's server would have them
cut, by its MSS and its window. Whatever is tried: every byte arrives as it was sent, and nothing is expected.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from helpers.engine.bed import CLIENT, NEAR_PORT, SERVER, Bed, Connection, payload_of
from support.packets import ACK, HEADER, SYN, put, tcp, word

from nfmasq.core.policy import Filtering
from nfmasq.helpers.protocols.ftp import Ftp
from nfmasq.helpers.protocols.irc import Irc
from nfmasq.helpers.protocols.rtsp import Rtsp

FTP, IRC, RTSP = 21, 6667, 554
MESSAGES = {
    FTP: b"PORT 192,168,1,10,19,136\r\n",
    IRC: b"PRIVMSG bob :\x01DCC CHAT chat %d 5000\x01\r\n" % int(CLIENT),
    RTSP: b"SETUP rtsp://x/ RTSP/1.0\r\nCSeq: 2\r\nTransport: RTP/AVP;client_port=5000-5001\r\n\r\n",
}
DOORS = {FTP: 1, IRC: 1, RTSP: 2}
"""How many expectations such a message makes where it should."""
LOGINS = {
    FTP: (
        (1, b"220 Hi\r\n"),
        (0, b"USER ann\r\n"),
        (1, b"331 Password\r\n"),
        (0, b"PASS x\r\n"),
        (1, b"230 In\r\n"),
    ),
    IRC: ((0, b"NICK ann\r\nUSER ann 0 * :Ann\r\n"), (1, b":irc.example 001 ann :Welcome\r\n")),
    RTSP: ((0, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"), (1, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")),
}
IN_LEAGUE = {
    FTP: b"220 Hi\r\n230 In\r\n230 In\r\n331 Password\r\n230 In\r\n",
    IRC: b":x 001 ann :Welcome\r\n",
    RTSP: b"RTSP/1.0 200 OK\r\n\r\n",
}
"""All that the attacker's server may say in favour of it."""
SCRIPTS = {
    FTP: (b"USER", b"PASS", b"HOST", b"SYST"),
    IRC: (b"NICK", b"USER", b"PASS", b"CAP"),
    RTSP: (b"OPTIONS", b"SETUP"),
}
"""Verbs that a script in a browser may choose, and that the protocol begins with."""
PORTS = pytest.mark.parametrize("port", [FTP, IRC, RTSP], ids=["ftp", "irc", "rtsp"])
WITH_A_LOGIN = pytest.mark.parametrize("port", [FTP, IRC], ids=["ftp", "irc"])


@dataclass
class Exchange:
    """A connection from CLIENT to a port of SERVER. heard: CLIENT's stream, as SERVER puts it together."""

    port: int
    bed: Bed = field(
        default_factory=lambda: Bed(Ftp(), Irc(), Rtsp(), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    )

    def __post_init__(self) -> None:
        self.ends = [0, 0]
        self.heard = bytearray()
        self.connection = Connection(self.bed, port=self.port).open()

    def say(self, side: int, *segments: bytes) -> None:
        """Each in a segment, acknowledged."""
        for text in segments:
            packets = self.connection.send(side, text, at=self.ends[side], acked=self.ends[1 - side])
            self.ends[side] += len(text)
            self.connection.send(1 - side, at=self.ends[1 - side], acked=self.ends[side])
            for packet in packets if side == 0 else ():
                at = self.connection.heard(0, packet)
                self.heard[at : at + len(payload_of(packet))] = payload_of(packet)

    def log_in(self) -> None:
        """As people do."""
        for side, text in LOGINS[self.port]:
            self.say(side, text)

    def nothing_came_of(self, *texts: bytes) -> None:
        """What CLIENT said was heard as it was, and nothing is expected or counted as rewritten."""
        self.say(0, b"\r\n")
        assert self.heard.endswith(b"".join(texts) + b"\r\n")
        assert expected(self.bed) == 0
        assert sum(each.rewritten for each in self.bed.engine.counters().values()) == 0


def expected(bed: Bed) -> int:
    """Expectations the core holds."""
    return sum(row.state == "expected" for row in bed.table.sessions())


@PORTS
def test_a_login_and_the_message_do_open_a_door(port: int) -> None:
    """What the others are tried against."""
    exchange = Exchange(port)
    exchange.log_in()
    exchange.say(0, MESSAGES[port])
    assert expected(exchange.bed) == DOORS[port]


def openings(port: int) -> Iterator[tuple[str, bytes]]:
    """What a browser, or something in it, says first."""
    headers = b"Host: evil.example\r\nContent-Length: 2000\r\n\r\n"
    yield "POST", b"POST / HTTP/1.1\r\n" + headers
    yield "GET", b"GET / HTTP/1.1\r\n" + headers
    yield (
        "multipart",
        b"POST / HTTP/1.1\r\n" + headers + b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
    )
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n"
    yield "TURN", b"\x00\x03\x01\x00\x21\x12\xa4\x42" + bytes(12) + b"\r\n"
    yield "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    if port != RTSP:  # which may begin with empty lines (RFC 2326 section 4.1); no browser does
        yield "nothing", b"\r\n"
    for verb in SCRIPTS[port]:
        yield verb.decode(), verb + b" /x HTTP/1.1\r\n" + headers


OPENINGS = [
    pytest.param(port, opening, id=f"{port} {name}")
    for port in (FTP, IRC, RTSP)
    for name, opening in openings(port)
]


@pytest.mark.parametrize(("port", "opening"), OPENINGS)
@pytest.mark.parametrize("mss", [1, 7, 16, 88, 536, 1460])
def test_a_message_at_a_segment_s_start(port: int, opening: bytes, mss: int) -> None:
    """The page is padded so that the message begins a segment, whatever the server made of the MSS."""
    exchange = Exchange(port)
    exchange.say(1, IN_LEAGUE[port])
    padded = opening + b"x" * (-len(opening) % mss)
    segments = [padded[at : at + mss] for at in range(0, len(padded), mss)]
    exchange.say(0, *segments, MESSAGES[port])
    exchange.nothing_came_of(*segments, MESSAGES[port])


@pytest.mark.parametrize(("port", "opening"), OPENINGS)
def test_a_server_that_answers_every_line(port: int, opening: bytes) -> None:
    """It lets each line of the page come alone, and says what a server would say to it."""
    exchange = Exchange(port)
    exchange.say(1, IN_LEAGUE[port][: IN_LEAGUE[port].index(b"\n") + 1])
    lines = [*opening.splitlines(keepends=True), *(text for side, text in LOGINS[port] if side == 0)]
    for line in lines:
        exchange.say(0, line)
        exchange.say(1, IN_LEAGUE[port])
    exchange.say(0, MESSAGES[port])
    exchange.nothing_came_of(*lines, MESSAGES[port])


@WITH_A_LOGIN
def test_the_message_comes_first(port: int) -> None:
    """Nobody has logged in, or been welcomed."""
    exchange = Exchange(port)
    exchange.say(1, IN_LEAGUE[port])
    exchange.say(0, MESSAGES[port], *(text for side, text in LOGINS[port] if side == 0), MESSAGES[port])
    exchange.nothing_came_of(MESSAGES[port])


WITHIN: dict[int, Sequence[bytes]] = {
    FTP: (b"STOR %s", b"SITE EXEC %s", b"RETR a\\r\\n%s", b"NOOP\r%s", b"NOOP\0%s", b"\xff\xff%s"),
    IRC: (b"TOPIC #a :%s", b"PRIVMSG bob %s", b"QUIT :%s", b"PRIVMSG b :a\r%s", b"AWAY\0%s"),
    RTSP: (
        b"OPTIONS * RTSP/1.0\r\nContent-Length: 79\r\n\r\n%s",
        b"$\0\0\x4f%s",
        b"PLAY rtsp://x/%s",
        b"PLAY * RTSP/1.0\r\nUser-Agent: %s",
        b"OPTIONS * RTSP/1.0\r\nSETUP: x\r\nX: %s",
    ),
}


@PORTS
def test_a_message_within_a_line(port: int) -> None:
    """After a login, in what a user was given to send; cut anywhere, so that it begins a segment, too."""
    for within in WITHIN[port]:
        line = within % MESSAGES[port]
        for at in {1, line.index(MESSAGES[port]), len(line) - 2}:
            exchange = Exchange(port)
            exchange.log_in()
            exchange.say(0, line[:at], line[at:])
            exchange.nothing_came_of(line)


@PORTS
def test_what_the_server_sends_back(port: int) -> None:
    """A bot that repeats what it is told, a server that says commands, offers and replies of its own."""
    exchange = Exchange(port)
    exchange.log_in()
    offer = b":bot!b@x PRIVMSG ann :\x01DCC %s x %d 5000 9\x01\r\n"
    for text in (
        MESSAGES[port],
        b"200 " + MESSAGES[port],
        b":bot!b@x " + MESSAGES[port],
        b"227 Here (192,168,1,10,19,136)\r\n229 (|||5000|)\r\n",
        b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;client_port=5000-5001;server_port=5000-5001\r\n\r\n",
        *(offer % (kind, int(CLIENT)) for kind in (b"SEND", b"CHAT", b"ACCEPT", b"RESUME")),
    ):
        heard = exchange.connection.say(1, text, at=exchange.ends[1], acked=exchange.ends[0])
        assert heard == text
        exchange.ends[1] += len(text)
    exchange.nothing_came_of()


@PORTS
def test_a_message_in_a_later_fragment(port: int) -> None:
    """Fragments come together before anybody reads them; one that comes alone is not looked into."""
    exchange = Exchange(port)
    exchange.log_in()
    external = exchange.connection.external
    for near, far, inbound in (
        ((CLIENT, NEAR_PORT), (SERVER, port), False),
        ((SERVER, port), external, True),
    ):
        packet = tcp(*near, *far, ACK, payload=MESSAGES[port])
        headless = put(packet[:HEADER] + MESSAGES[port], 2, word(HEADER + len(MESSAGES[port])))
        for fragment in (0x2000, 0x00B9, 0x20B9, 0x0001):
            for each in (packet, headless):
                exchange.bed.send(put(each, 6, word(fragment)), inbound=inbound)
    exchange.nothing_came_of()


@PORTS
def test_a_message_behind_a_gap(port: int) -> None:
    """What lies between may be the page."""
    exchange = Exchange(port)
    exchange.say(1, IN_LEAGUE[port])
    page = b"POST / HTTP/1.1\r\n".ljust(200, b"x")
    exchange.connection.send(0, MESSAGES[port], at=200)
    assert expected(exchange.bed) == 0
    exchange.say(0, page, MESSAGES[port])
    exchange.nothing_came_of(page, MESSAGES[port])


@PORTS
def test_a_message_in_a_syn_or_without_one(port: int) -> None:
    """The first byte that counts is the one behind an answered SYN."""
    bed = Bed(Ftp(), Irc(), Rtsp(), filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT)
    texts = b"".join(text for side, text in LOGINS[port] if side == 0) + MESSAGES[port]
    bed.send(tcp(CLIENT, NEAR_PORT, SERVER, port, SYN, payload=texts), inbound=False)
    bed.send(tcp(CLIENT, NEAR_PORT + 1, SERVER, port, ACK, payload=texts), inbound=False)
    for sent in bed.send(tcp(CLIENT, NEAR_PORT + 1, SERVER, port, ACK, payload=texts), inbound=False):
        assert payload_of(sent) == texts
    assert expected(bed) == 0

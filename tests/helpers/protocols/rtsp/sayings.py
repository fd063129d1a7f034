"""What RTSP clients and servers say, and what a dialogue makes of it: for the tests of this folder."""

from collections.abc import Sequence
from ipaddress import IPv4Address

from support.dialogues import IN, OUT

from nfmasq.helpers.kit.base import Found, Side
from nfmasq.helpers.kit.listener import Listener
from nfmasq.helpers.protocols.rtsp import Rtsp

Said = tuple[Side, bytes]
UDP = b"RTP/AVP;unicast;"
ELSEWHERE = IPv4Address("198.51.100.7")


def request(
    number: int, *headers: bytes, method: bytes = b"SETUP", path: bytes = b"a/1", session: int = 0
) -> bytes:
    """A client's request."""
    more = [b"Session: %d" % session] if session else []
    first = b"%s rtsp://203.0.113.10/%s RTSP/1.0" % (method, path)
    return b"\r\n".join([first, b"CSeq: %d" % number, *more, *headers, b"", b""])


def reply(number: int, *headers: bytes, code: int = 200, session: int = 9) -> bytes:
    """A server's reply."""
    lines = [b"RTSP/1.0 %d As it is" % code, b"CSeq: %d" % number, b"Session: %d;timeout=60" % session]
    return b"\r\n".join([*lines, *headers, b"", b""])


def setup(number: int, transport: bytes, **more: object) -> bytes:
    """A request for a stream."""
    return request(number, b"Transport: " + transport, **more)  # type: ignore[arg-type]


class Heard(Listener):
    """A dialogue that is fed."""

    def __init__(self, *said: Said, inside_began: bool = True) -> None:
        super().__init__(Rtsp(), inside_began)
        self.hear_all(said)

    def hear_all(self, said: Sequence[Said]) -> "Heard":
        """Let the dialogue read all of it."""
        for side, text in said:
            self.hear(side, text)
        return self


def client(transport: bytes) -> Heard:
    """An internal client has asked for a stream."""
    return Heard((IN, setup(1, transport)))


def server(transport: bytes, *, asked: bytes = UDP + b"client_port=7000-7001") -> Heard:
    """An internal server has answered a remote client."""
    return Heard((OUT, setup(1, asked)), (IN, reply(1, b"Transport: " + transport)), inside_began=False)


def answered(transport: bytes, *, asked: bytes = UDP + b"client_port=5000-5001") -> Heard:
    """A remote server has answered an internal client."""
    return Heard((IN, setup(1, asked)), (OUT, reply(1, b"Transport: " + transport)))


def written(heard: Heard, address: IPv4Address = ELSEWHERE, port: int = 40000) -> list[bytes]:
    """The text for another endpoint in each place."""
    assert all(not isinstance(place.what, Found) or place.what.transport == "udp" for place in heard.places)
    return [place.what.write(address, port) for place in heard.places]  # type: ignore[misc, call-arg, arg-type]


def ports(heard: Heard) -> list[tuple[int, int]]:
    """First port and number of ports of each endpoint that was found."""
    return [(each.what.port, each.what.consecutive) for each in heard.places if isinstance(each.what, Found)]

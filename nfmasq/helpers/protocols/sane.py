"""SANE over the network: the scanner's server says at which port it gives the picture.

Source: SANE standard 1.06 chapter 5, and saned. Client and server speak in turn: requests have a code, and
answers have none. All is made of words (four bytes, network order), texts (a length, and so many bytes with
the NUL) and arrays. So both sides are followed from their first byte: only then is it known where the answer
to START begins. It has a status and the port, to which the client connects. 6566/tcp.

Rewritten: that port, where a forward leads to the server. A server outside needs no helper. One control
connection may announce the same port again and again (scanimage --batch); it keeps its external port.
"""

from collections import deque
from collections.abc import Generator
from ipaddress import IPv4Address

from nfmasq.helpers.kit.base import Dialogue, Found, Reading, Session, Side

INIT, DEVICES, OPEN, CLOSE, OPTIONS, CONTROL, PARAMETERS, START, CANCEL, AUTHORIZE, EXIT = range(11)
MOST_ASKED = 8
"""Requests without an answer; clients wait for each."""
MOST_ITEMS = 512
"""Options of a device, devices, or texts of an option."""
LARGEST_PORT = 65535

_WORD = 4
_AUTO, _VERSION_OF_AUTO = 2, 3
"""The action that sets an option by itself, and the version from which on it has no value."""
_RANGE, _WORDS, _TEXTS = 1, 2, 3
_STRING = 3
_REQUESTS = {
    INIT: "ws", DEVICES: "", OPEN: "s", CLOSE: "w", OPTIONS: "w", CONTROL: "www", PARAMETERS: "w", START: "w",
    CANCEL: "w", AUTHORIZE: "sss", EXIT: "",
}  # fmt: skip
"""What each request has behind its code: words and texts."""
_ANSWERS = {INIT: "ww", OPEN: "ww", CLOSE: "w", PARAMETERS: "wwwwwww", CANCEL: "w", EXIT: ""}

PORT = 0
"""What a parser asks for where the port stands; else it asks for a word (4), or to skip bytes (below 0)."""
Parser = Generator[int, int, int]


class Malformed(Exception):
    """This is no SANE."""


class Sane:
    """The helper. It has no options."""

    name = "sane"
    transport = "tcp"
    ports: tuple[int, ...] = (6566,)
    enabled_by_default = False
    about = "SANE scanners inside: the port of the picture"

    examples_from_outside = (
        (Side.OUTSIDE, b"\0\0\0\0\1\0\0\3\0\0\0\4ann\0"),
        (Side.INSIDE, b"\0\0\0\0\1\0\0\3"),
        (Side.OUTSIDE, b"\0\0\0\2\0\0\0\7test:0\0"),
        (Side.INSIDE, b"\0\0\0\0\0\0\0\0\0\0\0\0"),
        (Side.OUTSIDE, b"\0\0\0\7\0\0\0\0"),
        (Side.INSIDE, b"\0\0\0\0\0\0\x27\x10\0\0\x12\x34\0\0\0\0"),
    )

    def begin(self, session: Session) -> Dialogue:
        """A dialogue for a control connection."""
        return SaneDialogue(session)


class SaneDialogue:
    """A control connection. Stored: a parser for each side with what it asks for, and requests unanswered."""

    def __init__(self, session: Session) -> None:
        self._is_server_inside = not session.inside_began
        self._waiting: deque[int] = deque()
        self._version = 0
        self._parsers: dict[Side, Parser] = {Side.OUTSIDE: self._requests(), Side.INSIDE: self._answers()}
        self._wanted = {side: next(parser) for side, parser in self._parsers.items()}
        self._begun = dict.fromkeys(Side, b"")

    def read(self, side: Side, data: bytes) -> Reading:
        """The port in an answer to START."""
        found: list[Found] = []
        try:
            if self._is_server_inside:
                return Reading(self._follow(side, data, found), found)
        except Malformed:
            pass
        return Reading(len(data), found, leave=True)

    def _follow(self, side: Side, data: bytes, found: list[Found]) -> int:
        """Give a side's parser what it asks for; how many bytes were taken. Raises Malformed."""
        parser, wanted, begun = self._parsers[side], self._wanted[side], self._begun[side]
        at = 0
        while True:
            if wanted < 0:
                step = min(-wanted, len(data) - at)
                at, wanted = at + step, wanted + step
                if wanted < 0:
                    break
                wanted = parser.send(0)
            elif len(begun) + len(data) - at < _WORD:
                if wanted != PORT:
                    begun, at = begun + data[at:], len(data)
                break
            else:
                end = at + _WORD - len(begun)
                word = int.from_bytes(begun + data[at:end])
                if wanted == PORT and 0 < word <= LARGEST_PORT:
                    found.append(Found(at, end, None, word, _write))
                at, begun = end, b""
                wanted = parser.send(word)
        self._wanted[side], self._begun[side] = wanted, begun
        return at

    def _requests(self) -> Parser:
        """What the client says: notes each request once its last byte has come."""
        while True:
            code = yield _WORD
            if code not in _REQUESTS or (code == INIT) != (self._version == 0):
                raise Malformed
            action = 0
            for field in _REQUESTS[code]:
                action = yield _WORD
                if code == INIT and self._version == 0:
                    self._version = action & 0xFFFF or 1
                if field == "s" and action:
                    yield -action
            if code == CONTROL and (action != _AUTO or self._version < _VERSION_OF_AUTO):
                yield from self._value()
            self._waiting.append(code)
            if len(self._waiting) > MOST_ASKED:
                raise Malformed

    def _answers(self) -> Parser:
        """What the server says."""
        again = CLOSE
        while True:
            word = yield _WORD
            if not self._waiting:
                raise Malformed
            code = self._waiting.popleft()
            if code == AUTHORIZE:  # the request that it was for is answered once more
                code = again
                word = yield _WORD
            again = code
            yield from self._answer(code, word)

    def _answer(self, code: int, word: int) -> Parser:
        """An answer, whose first word has come."""
        if code == START:
            yield PORT
            yield _WORD
            yield from _texts(1)
        elif code == OPTIONS:
            yield from _options(word)
        elif code == DEVICES:
            count = yield _WORD
            for _ in _items(count):
                if not (yield _WORD):
                    yield from _texts(4)
        elif code == CONTROL:
            yield _WORD
            yield from self._value()
            yield from _texts(1)
        else:
            for _ in _ANSWERS[code][1:]:
                yield _WORD
            if code == OPEN:
                yield from _texts(1)
        return 0

    def _value(self) -> Parser:
        """An option's value: its type, its size, and an array of characters or of words."""
        kind = yield _WORD
        yield _WORD
        count = yield _WORD
        if count:
            yield -count if kind == _STRING else -_WORD * count
        return 0


def _texts(count: int) -> Parser:
    for _ in range(count):
        length = yield _WORD
        if length:
            yield -length
    return 0


def _options(count: int) -> Parser:
    """Descriptions of options: name, title, description, five words and what limits it; or none."""
    for _ in _items(count):
        if (yield _WORD):
            continue
        for _ in range(3):
            length = yield _WORD
            if length:
                yield -length
        yield -4 * _WORD
        limit = yield _WORD
        if limit == _RANGE:
            if not (yield _WORD):
                yield -3 * _WORD
        elif limit == _WORDS:
            length = yield _WORD
            if length:
                yield -_WORD * length
        elif limit == _TEXTS:
            length = yield _WORD
            yield from _texts(len(_items(length)))
    return 0


def _items(count: int) -> range:
    """Raises Malformed for too many."""
    if count > MOST_ITEMS:
        raise Malformed
    return range(count)


def _write(_address: IPv4Address, port: int) -> bytes:
    return port.to_bytes(_WORD)


HELPER = Sane

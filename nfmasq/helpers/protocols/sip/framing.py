"""Where the messages of one side of a TCP stream begin and end (RFC 3261 section 18.3).

What is stored: how many bytes of a body still pass unread, and how many a message needs that waits for its
body. Also how far the end of a head was searched for, and whether the side has begun like SIP. Who writes:
`cut` alone. What ends it: the stream is no SIP, has a message whose end cannot be known, or too many messages
in one reading.
"""

from typing import NamedTuple

from nfmasq.helpers.kit.base import NotActedOn
from nfmasq.helpers.protocols.sip import bodies
from nfmasq.helpers.protocols.sip.message import (
    LONGEST_HEAD,
    METHODS,
    Message,
    NotSip,
    begins,
    behind_blanks,
    read_message,
)

MOST_MESSAGES = 64
"""Messages of one reading: a side that says more of them in a segment loses the helper."""

_FIRST_WORDS = (*METHODS, b"SIP/2.0")


class Cut(NamedTuple):
    """Whole messages, how many bytes go, and whether the stream cannot be read any longer.

    Of a message whose body is not SDP the head alone is whole: its body passes as it comes.
    """

    messages: list[Message]
    taken: int
    is_over: bool


class Framing:
    """One side of a stream."""

    __slots__ = ("_begun", "_needed", "_passing", "_searched")

    def __init__(self) -> None:
        self._begun = False
        self._passing = 0
        self._needed = 0
        self._searched = 0

    def cut(self, data: bytes) -> Cut:
        """Cut bytes that were not taken yet into messages."""
        if len(data) < self._needed:
            return Cut([], 0, is_over=False)  # a head is read once, however slowly its body comes
        if self._searched and not self._head_ends(data):
            return Cut([], 0, is_over=False)
        self._needed = self._searched = 0
        messages: list[Message] = []
        at = min(self._passing, len(data))
        self._passing -= at
        try:
            while (at := behind_blanks(data, at)) < len(data):
                message = self._message(data, at)
                if message is None:
                    break
                if len(messages) == MOST_MESSAGES:
                    raise NotActedOn("not_allowed")
                messages.append(message)
                at = min(message.end, len(data))
                self._passing = message.end - at
        except (NotSip, NotActedOn):
            return Cut(messages, at, is_over=True)
        return Cut(messages, at, is_over=False)

    def _head_ends(self, data: bytes) -> bool:
        """Is the end of a head, or too long a head, in what has come? A head may come byte by byte."""
        here, self._searched = self._searched, _searched(data, 0)
        return len(data) > LONGEST_HEAD or data.find(b"\n\n", here) >= 0 or data.find(b"\n\r\n", here) >= 0

    def _message(self, data: bytes, at: int) -> Message | None:
        """The message that begins there; None: more of it must come. Raises NotSip, NotActedOn."""
        if not begins(data, at) or not (self._begun or _is_known(data, at)):
            raise NotSip
        message = read_message(data, at) if data.find(b"\n", at) >= 0 else None
        if message is None and len(data) - at > LONGEST_HEAD:
            raise NotSip
        if message is None:
            self._searched = _searched(data, at) if data.find(b"\n", at) >= 0 else 0
            return None
        if message.sized is None:
            raise NotActedOn("malformed")
        self._begun = True
        if message.end <= len(data) or not bodies.has_sdp(message):
            return message
        self._needed = message.end - at
        return None


def _searched(data: bytes, at: int) -> int:
    """From where on, behind byte `at`, a head's end is searched for when more has come: it may have begun."""
    return max(len(data) - at - len(b"\n\r"), 0)


def _is_known(data: bytes, at: int) -> bool:
    """Can the first word still become one that is known? The first message of a stream must begin so."""
    word, blank, _ = data[at : at + 16].partition(b" ")
    return word in _FIRST_WORDS if blank else any(known.startswith(word) for known in _FIRST_WORDS)

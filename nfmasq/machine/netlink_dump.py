"""Asks the kernel for everything of one kind by rtnetlink: all links, all addresses, all routes.

What is stored: one socket and the number of the last request. An answer that was given up (a timeout, a
damaged message) is read to its end before the next request; one with another number is skipped.
"""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from nfmasq.machine import rtnetlink
from nfmasq.machine.rtnetlink import BadMessage, Message

NETLINK_ROUTE = 0
SOL_NETLINK = 270
_GET_STRICT_CHK = 12
_DATAGRAM = 1 << 16
_TRIES = 10
_SECONDS = 10

T = TypeVar("T")


class NetlinkDump:
    """Reads the network namespace of the thread that makes it. Raises OSError if there is no such socket."""

    def __init__(self, family: int = NETLINK_ROUTE) -> None:
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
        self._socket.settimeout(_SECONDS)
        with suppress(OSError):  # Linux before 4.20 answers with the addresses of all interfaces, not of one
            self._socket.setsockopt(SOL_NETLINK, _GET_STRICT_CHK, 1)

    def close(self) -> None:
        """Ask no more. Harmless when called twice."""
        self._socket.close()

    def read(self, kind: int, body: bytes, answer: int, read: Callable[[Message], T | None]) -> list[T]:
        """What `read` makes of each message of type `answer`, None left out.

        A dump that changes interrupted (NLM_F_DUMP_INTR) is repeated. Raises OSError: the kernel's answer,
        EBADMSG for a message with wrong lengths, EAGAIN if ten dumps in a row were interrupted.
        """
        for _ in range(_TRIES):
            self._finish_earlier()
            self._sequence += 1
            self._socket.send(rtnetlink.request(kind, body, self._sequence))
            found: list[T] = []
            interrupted = 0
            try:
                for message in self._answers():
                    interrupted |= message.flags & rtnetlink.DUMP_INTERRUPTED
                    if message.kind == answer and (one := read(message)) is not None:
                        found.append(one)
            except BadMessage as error:
                raise OSError(errno.EBADMSG, f"the kernel's answer cannot be read: {error}") from error
            if not interrupted:
                return found
        raise OSError(errno.EAGAIN, f"the tables changed during each of {_TRIES} dumps")

    def _finish_earlier(self) -> None:
        """Read an answer to its end that was given up: until then the kernel takes no request (EBUSY)."""
        self._socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(_DATAGRAM)
        self._socket.settimeout(_SECONDS)

    def _answers(self) -> Iterator[Message]:
        """The messages of the answer up to its end."""
        while True:
            data, _, flags, _ = self._socket.recvmsg(_DATAGRAM)
            if flags & socket.MSG_TRUNC:
                raise BadMessage("an answer is truncated")
            for message in rtnetlink.messages(data):
                if message.sequence != self._sequence:
                    continue
                if message.kind in (rtnetlink.DONE, rtnetlink.ERROR):
                    if code := rtnetlink.error_of(message):
                        raise OSError(code, os.strerror(code))
                    # Interruptions by the last changes are told by the flags of the end.
                    yield message
                    return
                yield message

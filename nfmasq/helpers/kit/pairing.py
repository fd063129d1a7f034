"""Which request a reply belongs to: by a number that both carry (CSeq), or by their order.

What is stored: the requests that still wait for their final reply, in order; of more than `most` the oldest
is forgotten. Who writes: the dialogue, at each request and each final reply. What ends a request's wait: its
reply, a reply to a later one where order alone tells, or newer requests.
"""

from collections import OrderedDict, deque
from collections.abc import Collection, Iterator, Mapping
from typing import ClassVar, Generic, TypeVar

MOST_WAITING = 64
"""Requests that may wait for a reply."""

Request = TypeVar("Request")


class ByNumber(Generic[Request]):
    """Requests of one side, each with the number that its reply repeats."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._waiting: OrderedDict[bytes, Request] = OrderedDict()
        self._most = most

    def __iter__(self) -> Iterator[Request]:
        return iter(self._waiting.values())

    def add(self, number: bytes, request: Request) -> None:
        """Store a request that was sent; another one of the same number gives way."""
        self._waiting.pop(number, None)
        self._waiting[number] = request
        if len(self._waiting) > self._most:
            self._waiting.popitem(last=False)

    def awaits(self, number: bytes) -> Request | None:
        """The request of a reply that has only begun. number: b"" if it was not seen yet: the oldest one."""
        return self._waiting.get(number) if number else next(iter(self), None)

    def answered(self, number: bytes) -> Request | None:
        """The request of a final reply, which waits no longer; None: there is none."""
        if number:
            return self._waiting.pop(number, None)
        return self._waiting.popitem(last=False)[1] if self._waiting else None


class InOrder:
    """Requests whose replies come in order; b"" stands for an unknown one. A protocol says in a subclass:

    belongs: codes of replies that belong to these requests alone, whatever others wait. own_success: requests
    whose success has such a code: a reply of another code that begins with 2 or 3 is not theirs.
    """

    __slots__ = ("_waiting",)

    belongs: ClassVar[Mapping[bytes, Collection[bytes]]] = {}
    own_success: ClassVar[Collection[bytes]] = ()

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._waiting: deque[bytes] = deque(maxlen=most)

    def add(self, word: bytes) -> None:
        """Store a request that was sent."""
        self._waiting.append(word)

    def rename_last(self, word: bytes) -> None:
        """Let the newest request wait under another name, because it is answered unlike others."""
        self._waiting[-1] = word

    def awaits(self, code: bytes) -> bool:
        """Does a request wait for a reply with just this code?"""
        return any(word in self.belongs.get(code, ()) for word in self._waiting)

    def answered(self, code: bytes) -> bytes:
        """The request that a final reply with this code belongs to, which waits no longer; b"": none."""
        if code not in self.belongs:
            if not self._waiting or (self._waiting[0] in self.own_success and code[:1] in b"23"):
                return b""
            return self._waiting.popleft()
        if not self.awaits(code):
            return b""
        while (word := self._waiting.popleft()) not in self.belongs[code]:
            pass
        return word

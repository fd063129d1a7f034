"""The sessions an engine knows: those that a helper reads, and those it has just parted with.

What is stored: conversations by the session's name, until they are settled or the session has ended; then
in one of two generations, for packets that the core had set aside before it was told. Who writes: whoever
holds the engine's lock. What ends one that was parted with: two turns of the generations, each after a moment
at which no packet was waiting.
"""

from collections.abc import Iterator

from nfmasq.helpers.engine.expectations import Name
from nfmasq.helpers.engine.tcp_session import Conversation
from nfmasq.helpers.engine.udp_session import Datagrams

MOST = 32768
LOOKED_UP_IN_S = 64
"""Each is looked up in the core once in so many seconds."""

AnyTalk = Conversation | Datagrams


class Talks:
    """All of them."""

    def __init__(self) -> None:
        self._present: dict[Name, AnyTalk] = {}
        self._parted: dict[Name, AnyTalk] = {}
        self._parted_before: dict[Name, AnyTalk] = {}
        self._to_look_up: list[Name] = []

    def __len__(self) -> int:
        return len(self._present)

    def __iter__(self) -> Iterator[AnyTalk]:
        return iter(self._present.values())

    @property
    def is_full(self) -> bool:
        """Is there no room for another one?"""
        return len(self._present) + len(self._parted) + len(self._parted_before) >= MOST

    def get(self, name: Name) -> AnyTalk | None:
        """The one of this name that is read, or still to be corrected."""
        return self._present.get(name)

    def parted(self, name: Name) -> AnyTalk | None:
        """The one of this name that the core was told to let go a moment ago."""
        return self._parted.get(name) or self._parted_before.get(name)

    def add(self, talk: AnyTalk) -> None:
        """One that begins."""
        self._present[talk.name] = talk

    def remove(self, name: Name) -> AnyTalk | None:
        """Forget one; None when it is not known."""
        talk = self._present.pop(name, None)
        if talk is not None:
            talk.leave()
        return talk

    def part_with(self, name: Name) -> None:
        """Forget one soon."""
        talk = self.remove(name)
        if talk is not None:
            self._parted[name] = talk

    def turn(self) -> None:
        """No packet waits: forget those parted with before the last turn."""
        self._parted_before, self._parted = self._parted, {}

    def share(self) -> list[Name]:
        """Names to look up in this second: all come up in LOOKED_UP_IN_S."""
        if not self._to_look_up:
            self._to_look_up = list(self._present)
        share = len(self._present) // LOOKED_UP_IN_S + 1
        names = self._to_look_up[-share:]
        del self._to_look_up[-share:]
        return names

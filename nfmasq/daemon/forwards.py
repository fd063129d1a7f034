"""The forwards in force, as the control API sees and changes them."""

import logging
from collections.abc import Sequence
from typing import Any

from nfmasq.daemon.hand import Hand
from nfmasq.daemon.supervise import Supervisor
from nfmasq.runtime.forwards import Entry

log = logging.getLogger("nfmasq")


class ForwardsInForce:
    """The forwards of a running daemon."""

    def __init__(self, supervisor: Supervisor, hand: Hand) -> None:
        self._supervisor = supervisor
        self._hand = hand

    @property
    def entries(self) -> Sequence[Entry]:
        """All forwards, each with its source."""
        return self._supervisor.forwards.entries

    async def add(self, table: dict[str, Any], persist: bool) -> Entry:
        """Add a forward, kept across restarts if so asked. Raises ConfigInvalid and ForwardRefused."""
        entry = await self._hand.do(lambda: self._supervisor.add_forward(table, persist))
        log.info("forward %s added on request%s", entry.forward.id, ", and kept" if persist else "")
        return entry

    async def remove(self, identity: str) -> Entry:
        """End a forward that was added. Raises NoSuchForward and ForwardRefused."""
        entry = await self._hand.do(lambda: self._supervisor.remove_forward(identity))
        log.info("forward %s removed on request", identity)
        return entry

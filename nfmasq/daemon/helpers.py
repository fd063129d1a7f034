"""The helpers, as the control API and the metrics see and change them."""

import logging
from collections.abc import Mapping
from ipaddress import IPv4Network

from nfmasq.daemon.hand import Hand
from nfmasq.daemon.supervise import Supervisor
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.runtime.helpers import Entry

log = logging.getLogger("nfmasq")


class HelpersInForce:
    """The helpers of a running daemon."""

    def __init__(self, supervisor: Supervisor, hand: Hand) -> None:
        self._supervisor = supervisor
        self._helping = supervisor.helping
        self._hand = hand

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Every helper that could be loaded, by its name."""
        return self._helping.board.entries

    def counters(self) -> Mapping[str, HelperCounters]:
        """The counters of each helper, by its name."""
        return self._helping.counters()

    def expectations(self) -> int:
        """How many expectations no session has met yet."""
        return self._helping.expectations()

    async def set_enabled(self, name: str, enabled: bool, network: IPv4Network | None) -> Entry:
        """Enable or disable a helper for one network's hosts, or all. Raises NoSuchHelper, HelperRefused."""
        entry = await self._hand.do(lambda: self._supervisor.set_helper(name, enabled, network))
        where = f"for {network}" if network else "everywhere"
        log.info("helper %s %s %s on request", name, "enabled" if enabled else "disabled", where)
        return entry

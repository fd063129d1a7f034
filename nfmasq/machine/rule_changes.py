"""In which tables anybody changed netfilter rules, without starting a program.

What is stored: the watch over nft's and iptables-nft's changes, and what legacy iptables' tables were at the
last look. One thread alone may call `seen`. `close` ends it. What cannot be watched counts as changed at each
look.
"""

import logging

from nfmasq.machine.legacy_tables import LegacyTables
from nfmasq.machine.watches import EVERYTHING, NOTHING, RulesWatch, Touched

log = logging.getLogger("nfmasq")


class RuleChanges:
    """Of the network namespace of the thread that makes it."""

    def __init__(self) -> None:
        self._legacy: LegacyTables | None = LegacyTables(("raw", "mangle", "nat"))
        self._watch: RulesWatch | None = None
        try:
            self._watch = RulesWatch()
        except OSError as error:
            log.warning("changes of rules are not told (%s): the rules are looked at every second", error)

    def fileno(self) -> int:
        """Readable when rules changed; -1: nothing tells."""
        return -1 if self._watch is None else self._watch.fileno()

    def seen(self) -> Touched:
        """The tables whose rules may have changed since the last call. At the first: all legacy ones."""
        rang = EVERYTHING if self._watch is None else self._watch.drain()
        return rang | self._legacy_touched()

    def close(self) -> None:
        """Watch no more."""
        if self._watch is not None:
            self._watch.close()

    def _legacy_touched(self) -> Touched:
        """Tables that may not be read are left out from then on: without that right nobody lays rules."""
        if self._legacy is None:
            return NOTHING
        try:
            return Touched(frozenset(f"ip {name}" for name in self._legacy.changed()))
        except PermissionError as error:
            log.info("legacy iptables' rules are not followed: %s", error)
            self._legacy = None
            return NOTHING
        except OSError:
            return EVERYTHING

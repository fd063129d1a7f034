"""Watches how full the table and the external ports are: a problem in the status before a host is refused.

What is stored: the level that each pool and the table have reached, and the host that has the most of each.
The event loop's thread writes it, any thread may read. A level ends when the fill is BACK points below it, so
that a fill which wavers makes no lines in the log.
"""

from ipaddress import IPv4Address
from typing import NamedTuple

from nfmasq._fastpath import Fill, Table
from nfmasq.core.policy import TRANSPORTS
from nfmasq.daemon.problems import Problems

LEVELS = (90, 80)
"""Percent, the highest first."""

BACK = 5
"""Percent below a level at which it ends."""

SHARING = (
    "sessions share external ports, told apart by the remote endpoint, because no port was free "
    "(nat.share_ports); their hosts cannot be reached by others there"
)

_NAMES = {"tcp": "TCP ports", "udp": "UDP ports", "icmp": "ICMP identifiers"}


class Reached(NamedTuple):
    """A level, and the host that has the most."""

    level: int
    host: IPv4Address | None


class FillLevels:
    """The fill levels of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._reached: dict[tuple[IPv4Address | None, int], Reached] = {}
        self._problems = Problems()

    def look(self) -> None:
        """Compare everything with the levels once."""
        before, self._reached = self._reached, {}
        for fill in self._table.fill():
            key = fill.address, fill.transport
            last = before.get(key, Reached(0, None))
            if level := _level(fill, last.level):
                self._reached[key] = Reached(level, self._table.greediest(fill, last.host))
        for key in before.keys() - self._reached.keys():
            self._problems.report(_name(*key), "")
        for key, (level, greediest) in self._reached.items():
            what, host = _name(*key), greediest or "a host that has just gone"
            self._problems.report(what, f"{level} % of the {what} are in use, most of them by {host}")

    def problems(self) -> tuple[str, ...]:
        """A line for each level that is reached."""
        return tuple(self._problems.now().values())

    def warnings(self) -> tuple[str, ...]:
        """One line while sessions share ports."""
        return (SHARING,) if self._table.gauges().borrowing else ()


def _level(fill: Fill, last: int) -> int:
    """The highest level that is reached, or was and is not left yet; 0: none."""
    for level in LEVELS:
        needed = level - BACK if level <= last else level
        if fill.capacity and 100 * fill.used >= needed * fill.capacity:
            return level
    return 0


def _name(address: IPv4Address | None, transport: int) -> str:
    return "sessions" if address is None else f"{_NAMES[TRANSPORTS[transport]]} of {address}"

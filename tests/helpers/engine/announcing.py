"""What a helper announces, and what the core expects then: for the tests of expectations."""

from ipaddress import IPv4Address

from helpers.engine.bed import Bed, Connection
from helpers.engine.here import HI, text_of
from nfmasq.core.policy import Filtering


def strict(*, forward: bool = False, **changes: object) -> Bed:
    """A bed with the strictest filtering."""
    return Bed(forward=forward, filtering=Filtering.ADDRESS_AND_PORT_DEPENDENT, **changes)


def said(word: bytes, address: IPv4Address, port: int) -> bytes:
    """A line."""
    return word + b" " + text_of(address, port) + b"\r\n"


def announced(connection: Connection, line: bytes, side: int = 0) -> tuple[IPv4Address, int]:
    """The endpoint that is heard for the one in a line."""
    heard = connection.say(side, HI + line)
    _, address, port = heard[len(HI) :].split()
    return IPv4Address(address.decode()), int(port)


def waiting(bed: Bed) -> int:
    """Expectations in the core."""
    return sum(row.state == "expected" for row in bed.table.sessions())


def not_acted_on(bed: Bed, helper: str = "here") -> dict[str, int]:
    """Messages that were not acted on, by reason."""
    counted = bed.engine.counters()[helper]
    return {reason: count for reason, count in counted.not_acted_on.items() if count}

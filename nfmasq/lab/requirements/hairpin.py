"""Hairpinning: from an internal host to another by way of external endpoints."""

from nfmasq.lab.requirements.ground import Ground
from nfmasq.lab.requirements.packets import Seen, read
from nfmasq.lab.requirements.way import CLIENT, OTHER_CLIENT

MISSING = "hairpinning is not built yet"


def across(ground: Ground, packet: bytes) -> Seen:
    """Send this from one internal host; what the other one gets of it."""
    seen = read(packet)
    here = seen.source[0]
    to = ground[OTHER_CLIENT if here == CLIENT else CLIENT]
    to.ignore()
    ground[here].send(packet)
    return read(to.expect("what was hairpinned to it", seen.protocol, patience=1, payload=seen.payload))

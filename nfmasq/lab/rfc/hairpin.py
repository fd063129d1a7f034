"""Hairpinning: from an internal host to another by way of external endpoints.

Filtering counts there as anywhere: by default the receiver must have sent something to the sender's external
address before.
"""

from nfmasq.lab.packets import Endpoint, Seen, read, udp
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.way import CLIENT, OTHER_CLIENT

LAX = {"filtering": "endpoint-independent"}


def acquainted(ground: Ground, here: Endpoint, there: Endpoint) -> tuple[Endpoint, Endpoint]:
    """The external endpoints of two internal ones, of which the second has sent something to the first."""
    external = ground.mapped(here), ground.mapped(there)
    ground[there[0]].send(udp(there, external[0], b"filtered"))
    return external


def across(ground: Ground, packet: bytes) -> Seen:
    """Send this from one internal host; what the other one gets of it."""
    seen = read(packet)
    here = seen.source[0]
    to = ground[OTHER_CLIENT if here == CLIENT else CLIENT]
    to.ignore()
    ground[here].send(packet)
    return read(to.expect("what was hairpinned to it", seen.protocol, patience=1, payload=seen.payload))

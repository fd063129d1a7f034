"""Refusals: the ICMP errors nfmasq sends of its own when it cannot begin a session."""

import time
from dataclasses import dataclass, field
from functools import lru_cache

from nfmasq.lab.requirements.core import Core
from nfmasq.lab.requirements.ground import Ground
from nfmasq.lab.requirements.packets import ICMP, RST, SYN, TCP, Seen, read, tcp, udp
from nfmasq.lab.requirements.way import CLIENT, EXTERNAL, SERVER, port
from nfmasq.rows import Refusal

MISSING = "no refusal is told by ICMP yet"
WATCHED = 8
"""Seconds: two more than must be silent."""


@dataclass
class Answers:
    """When SYNs from outside were answered, in seconds after they were sent.

    ignored: the one nobody cared for; followed: the one after which a SYN went out to its sender.
    """

    ignored: list[float] = field(default_factory=list)
    followed: list[float] = field(default_factory=list)


@lru_cache(maxsize=1)
def answers_to_syns(ground: Ground) -> Answers:
    """Send two unsolicited SYNs and watch for answers. Watched once; asked for as often as wanted."""
    answers, server = Answers(), ground[SERVER]
    external = ground.mapped((CLIENT, port()))[1]
    ignored, followed = (SERVER, port()), (SERVER, port())
    stream = ground.open((CLIENT, port()), (SERVER, port()))
    with ground.config(nat={"filtering": "address-and-port-dependent"}):
        server.ignore()
        begin = time.monotonic()
        server.send(tcp(ignored, (EXTERNAL, external), SYN, 5000))
        server.send(tcp(followed, stream.external, SYN, 5000))
        ground[CLIENT].send(tcp(stream.client, followed, SYN, 1000))
        while (left := begin + WATCHED - time.monotonic()) > 0:
            try:
                packet = server.wire.expect(lambda packet: packet[16:20] == SERVER.packed, left)
            except TimeoutError:
                break
            seconds, seen = time.monotonic() - begin, read(packet)
            if _answers(seen, ignored):
                answers.ignored.append(seconds)
            if _answers(seen, followed):
                answers.followed.append(seconds)
    return answers


def _answers(seen: Seen, caller: object) -> bool:
    if seen.protocol == TCP:
        return seen.destination == caller and bool(seen.flags & RST)
    return seen.protocol == ICMP and seen.icmp == (3, 3) and seen.quoted.source == caller


def to_a_syn(core: Core) -> list[Refusal]:
    """The refusals due 7 s after an unsolicited SYN to the core."""
    core.into(tcp((SERVER, 4000), (EXTERNAL, 5000), SYN, 5000))
    core.wait(7)
    return due(core)


def to_a_session(core: Core) -> list[Refusal]:
    """The refusals due at once after a host's second session, which is one too many."""
    core.out(udp((CLIENT, 4000), (SERVER, 53)))
    core.out(udp((CLIENT, 4001), (SERVER, 53)))
    return due(core)


def due(core: Core) -> list[Refusal]:
    """The refusals due now."""
    return core.table.refusals(core.now)

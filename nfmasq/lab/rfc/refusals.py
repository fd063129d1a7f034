"""Refusals: the ICMP errors nfmasq sends of its own when it cannot begin a session."""

import time
from dataclasses import dataclass, field
from functools import lru_cache

from nfmasq.core.rows import Refusal
from nfmasq.lab.packets import ICMP, RST, SYN, TCP, Endpoint, Seen, read, tcp, udp
from nfmasq.lab.rfc.core import Core
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.way import CLIENT, EXTERNAL, SERVER, port

WATCHED = 10
SAMPLES = 4
"""SYNs sent a quarter of a second apart, lest a clock of whole seconds be right by chance."""


@dataclass
class Answers:
    """When SYNs from outside were answered, in seconds after they were sent.

    ignored: those that nothing came of; followed: the one after which a SYN went out to its sender.
    """

    ignored: list[float] = field(default_factory=list)
    followed: list[float] = field(default_factory=list)


@lru_cache(maxsize=1)
def answers_to_syns(ground: Ground) -> Answers:
    """Send unsolicited SYNs and watch for answers. Watched once; asked for as often as wanted."""
    answers, server = Answers(), ground[SERVER]
    external = (EXTERNAL, ground.mapped((CLIENT, port()))[1])
    stream = ground.open((CLIENT, port()), (SERVER, port()))
    followed: Endpoint = (SERVER, port())
    sent: dict[Endpoint, float] = {}

    def listen(until: float) -> None:
        while len(answers.ignored) < SAMPLES and (seen := _next(ground, until)):
            for caller, at in sent.items():
                if _answers(seen, caller):
                    times = answers.followed if caller == followed else answers.ignored
                    times.append(time.monotonic() - at)

    with ground.config(nat={"filtering": "address-and-port-dependent"}):
        server.ignore()
        begin = sent[followed] = time.monotonic()
        server.send(tcp(followed, stream.external, SYN, 5000))
        ground[CLIENT].send(tcp(stream.client, followed, SYN, 1000))
        for number in range(SAMPLES):
            listen(begin + number / SAMPLES)
            ignored = (SERVER, port())
            sent[ignored] = time.monotonic()
            server.send(tcp(ignored, external, SYN, 5000))
        listen(begin + WATCHED)
    return answers


def _next(ground: Ground, until: float) -> Seen | None:
    """What the server gets next, or None if nothing comes before that moment."""
    try:
        to_it = ground[SERVER].wire.expect(
            lambda packet: packet[16:20] == SERVER.packed, until - time.monotonic()
        )
    except TimeoutError:
        return None
    return read(to_it)


def _answers(seen: Seen, caller: Endpoint) -> bool:
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
    core.out(udp((CLIENT, 4000), (SERVER, 700)))
    core.out(udp((CLIENT, 4001), (SERVER, 700)))
    return due(core)


def due(core: Core) -> list[Refusal]:
    """The refusals due now."""
    return core.table.refusals(core.now)

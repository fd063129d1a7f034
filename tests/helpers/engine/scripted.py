"""A helper that says of each message what its test tells it to say, over TCP and UDP."""

import itertools
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address

from support.packets import udp
from support.router import CLIENT, SERVER

from helpers.engine.bed import NEAR_PORT, PORT, Bed
from nfmasq.core.policy import Filtering
from nfmasq.core.rows import SessionRow
from nfmasq.helpers.kit.base import Endpoint, Found, Place, Reading, Session, Side

Script = Callable[[Session, Side, bytes], Reading]


class Scripted:
    """The helper. sessions: those that began, as their dialogues knew them."""

    name = "scripted"
    transport: str | tuple[str, ...] = ("tcp", "udp")
    ports: tuple[int, ...] = (PORT,)
    enabled_by_default = True
    about = "whatever a test says"
    longest_message = 8192

    def __init__(self, script: Script) -> None:
        self.script = script
        self.sessions: list[Session] = []

    def begin(self, session: Session) -> "ScriptedDialogue":
        self.sessions.append(session)
        return ScriptedDialogue(self, session)


class ScriptedDialogue:
    """One session of it."""

    def __init__(self, helper: Scripted, session: Session) -> None:
        self._helper = helper
        self._session = session

    def read(self, side: Side, data: bytes) -> Reading:
        return self._helper.script(self._session, side, data)


def always(*places: Place, **more: object) -> Scripted:
    """A helper that finds the same in every message of the inside."""
    return Scripted(
        lambda _, side, data: (
            Reading(len(data), list(places), **more)  # type: ignore[arg-type]
            if side is Side.INSIDE
            else Reading(len(data))
        )
    )


def spanless(port: int, transport: str = "udp", **more: object) -> Found:
    """An endpoint of the inside that is written nowhere."""
    return Found(0, 0, None, port, None, transport, **more)  # type: ignore[arg-type]


def bed_of(helper: Scripted, **changes: object) -> Bed:
    """The strictest filtering, and this helper alone."""
    changes.setdefault("filtering", Filtering.ADDRESS_AND_PORT_DEPENDENT)
    return Bed(helper, **changes)  # type: ignore[arg-type]


def say(bed: Bed, payload: bytes = b"x", *, near: int = NEAR_PORT, host: IPv4Address = CLIENT) -> list[bytes]:
    """What comes out for a datagram from an internal host to SERVER."""
    return bed.send(udp(host, near, SERVER, PORT, payload), inbound=False)


def expected(bed: Bed) -> dict[int, SessionRow]:
    """The expectations in the core, by internal port."""
    return {row.internal[1]: row for row in bed.table.sessions() if row.state == "expected"}


def meet(bed: Bed, port: int = 5000, remote: IPv4Address = SERVER, from_port: int = 6000) -> list[bytes]:
    """What comes in to the external endpoint that stands for an internal port."""
    return bed.send(udp(remote, from_port, *outside_of(bed, port), b"hello"), inbound=True)


def outside_of(bed: Bed, port: int) -> Endpoint:
    """The external endpoint of an internal port."""
    return next(row.external for row in bed.table.sessions() if row.internal[1] == port)


def once(first: Reading, then: Reading) -> Scripted:
    """A helper that says one thing of the first message, and another of all others."""
    said: Iterator[Reading] = itertools.chain([first], itertools.repeat(then))
    return Scripted(lambda _, side, data: next(said)._replace(taken=len(data)))

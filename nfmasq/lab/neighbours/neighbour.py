"""A neighbour, and how a visit to it goes.

A visit makes a lab, lets the neighbour do on the router what the real program does, sends traffic and
collects findings. With "kernel" the kernel's MASQUERADE translates in nfmasq's place: a neighbour that fails
there too is a fault of the lab.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nfmasq.lab.foreign import NotHere
from nfmasq.lab.lab import Lab
from nfmasq.lab.programs import ProgramError
from nfmasq.lab.router import DaemonError
from nfmasq.lab.topology import Masquerade

Result = Literal["ok", "failed", "not here"]

MEGABYTES = 2
"""Of the file that neighbours' labs carry about: they check that transfers work, not how fast."""


class Wrong(Exception):
    """A neighbour and the router do not get on; the text says what was seen."""


@dataclass(frozen=True)
class Neighbour:
    """A neighbour: its name, what is right beside it in a sentence, and the visit.

    visit: takes what translates, and returns what was seen; raises Wrong, or NotHere.
    """

    name: str
    right: str
    visit: Callable[[Masquerade], str]


@dataclass(frozen=True)
class Outcome:
    """How a visit went: what was seen, or what was wrong, or why this machine cannot show it."""

    neighbour: Neighbour
    result: Result
    saw: str


class Findings:
    """What is wrong so far, in words."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def demand(self, condition: object, otherwise: str) -> None:
        """Note `otherwise` unless the condition holds."""
        if not condition:
            self.wrong.append(otherwise)

    def end(self, lab: Lab, saw: str) -> str:
        """What was seen. Raises Wrong if anything is, or if the router let an internal address out."""
        leaks = lab.sentinel.take()
        self.demand(not leaks, f"{len(leaks)} leaks, the first: {leaks[0] if leaks else ''}")
        if self.wrong:
            raise Wrong("; ".join(self.wrong))
        return saw


def call_on(neighbour: Neighbour, masquerade: Masquerade = "none") -> Outcome:
    """Visit a neighbour; nothing that goes wrong there is raised."""
    try:
        return Outcome(neighbour, "ok", neighbour.visit(masquerade))
    except NotHere as why:
        return Outcome(neighbour, "not here", _in_a_line(why))
    except (Wrong, DaemonError, ProgramError, RuntimeError, OSError) as error:
        return Outcome(neighbour, "failed", _in_a_line(error))


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())

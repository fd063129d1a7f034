"""What is measured: the ways a router can treat packets."""

from dataclasses import dataclass
from typing import Literal

Program = Literal["accept", "rewrite", "translate", "scapy"]


@dataclass(frozen=True)
class Variant:
    """One way. `name` as on the command line, `title` as in tables.

    translates: the server sees the external address. program: what serves the queue on the router.
    """

    name: str
    title: str
    translates: bool
    program: Program | None = None

    @property
    def many_queues(self) -> bool:
        """Can its program serve several queues, and count?"""
        return self.program not in (None, "scapy")


PLAIN = Variant("plain", "plain", translates=False)
MASQUERADE = Variant("masquerade", "MASQUERADE", translates=True)
FLOOR = Variant("floor", "floor", translates=False, program="accept")
REWRITING_FLOOR = Variant("rewriting-floor", "rewriting floor", translates=False, program="rewrite")
NFMASQ = Variant("nfmasq", "nfmasq", translates=True, program="translate")
SCAPY = Variant("scapy", "scapy", translates=True, program="scapy")

VARIANTS = (PLAIN, MASQUERADE, FLOOR, REWRITING_FLOOR, NFMASQ, SCAPY)

"""What is measured: the ways a router can treat packets."""

from dataclasses import dataclass
from typing import Literal

from nfmasq.core.queue_socket import QUEUES_EACH

Program = Literal[
    "accept", "rewrite", "translate", "scapy", "callback", "loop", "slirp4netns", "pasta", "tayga"
]

QUEUES = ("accept", "rewrite", "translate")
TAPS = ("slirp4netns", "pasta")


@dataclass(frozen=True)
class Variant:
    """One way. `name` as on the command line, `title` as in tables, `about` as in the report.

    translates: the server sees another address than the client's. program: what serves the router.
    workers: how many queues it serves, None: as many as the run says. sessions: the table holds these before
    the traffic begins.
    """

    name: str
    title: str
    about: str
    translates: bool
    program: Program | None = None
    workers: int | None = None
    sessions: int = 0

    @property
    def many_queues(self) -> bool:
        """Can its program serve several queues, and count?"""
        return self.program in QUEUES

    @property
    def tap(self) -> bool:
        """Does its program take the client's packets from a device of its own, in place of the cable?"""
        return self.program in TAPS


PLAIN = Variant("plain", "plain", "forwards; the server knows the way back", translates=False)
MASQUERADE = Variant("masquerade", "MASQUERADE", "the kernel's own translator", translates=True)
FLOOR = Variant(
    "floor", "floor", "accepts each batch unchanged: the least any queue program can cost",
    translates=False, program="accept",
)  # fmt: skip
REWRITING_FLOOR = Variant(
    "rewriting-floor", "rewriting floor", "rewrites each packet to what it is, without a table",
    translates=False, program="rewrite",
)  # fmt: skip
NFMASQ = Variant("nfmasq", "nfmasq", "the same loop with the table", translates=True, program="translate")
SCAPY = Variant(
    "scapy", "scapy", "a NetfilterQueue callback in Python that translates with scapy",
    translates=True, program="scapy",
)  # fmt: skip

VARIANTS = (PLAIN, MASQUERADE, FLOOR, REWRITING_FLOOR, NFMASQ, SCAPY)
"""Measured unless others are asked for."""

MILLION = Variant(
    "nfmasq-million", "nfmasq, 1 M", "nfmasq with a million other sessions in its table",
    translates=True, program="translate", sessions=1_000_000,
)  # fmt: skip
WORKERS = tuple(
    Variant(
        f"nfmasq-{count}", f"nfmasq, {title}", f"nfmasq with {title}, a thread and {QUEUES_EACH} queues each",
        translates=True, program="translate", workers=count,
    )
    for count, title in ((1, "1 worker"), (2, "2 workers"), (4, "4 workers"))
)  # fmt: skip
ONE_WORKER, TWO_WORKERS, _ = WORKERS
LOOP = Variant(
    "libnetfilter-queue", "libnetfilter_queue", "a loop in C that accepts a packet at a time",
    translates=False, program="loop",
)  # fmt: skip
CALLBACK = Variant(
    "callback", "callback", "a NetfilterQueue callback in Python that accepts each packet",
    translates=False, program="callback",
)  # fmt: skip
SLIRP4NETNS = Variant(
    "slirp4netns", "slirp4netns", "sockets of its own for what a tap device brings, as containers have it",
    translates=True, program="slirp4netns",
)  # fmt: skip
PASTA = Variant("pasta", "pasta", "the same, as newer containers have it", translates=True, program="pasta")
TAYGA = Variant(
    "tayga", "tayga", "a stateless translator between IPv4 and IPv6, twice: to IPv6 and back",
    translates=True, program="tayga",
)  # fmt: skip

EXTRA = (*WORKERS, MILLION, LOOP, CALLBACK, SLIRP4NETNS, PASTA, TAYGA)
"""Measured for a report, and when asked for."""

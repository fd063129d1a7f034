"""The variants: ways in which a router can treat packets."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from subprocess import Popen

from nfmasq.lab.namespace import Namespace


@dataclass(frozen=True)
class Tap:
    """A device in the client's namespace by which its packets reach the program, in place of the cable.

    client: the client's address on that device. start: given the router and the client, starts the program.
    next_hop: given the client, the hardware address its frames go to, once it has sent something.
    """

    device: str
    client: IPv4Address
    start: Callable[[Namespace, Namespace], "Popen[str]"]
    next_hop: Callable[[Namespace], bytes]


@dataclass(frozen=True)
class Variant:
    """One way. `name` as on the command line, `title` as in tables, `about` as in a report.

    translates: the server sees `external` in place of the client's address; None: the router's own address.
    program: the module of the program that serves the router; `arguments`: its first arguments.
    counts: the program takes the number of workers, `workers` or else the run's, and prints what it counted.
    tap: starts the program, where it takes packets from a device of its own.
    optional: a run goes on without it where this machine does not have it.
    """

    name: str
    title: str
    about: str
    translates: bool
    program: str | None = None
    arguments: tuple[str, ...] = ()
    counts: bool = False
    workers: int | None = None
    external: IPv4Address | None = None
    tap: Tap | None = None
    optional: bool = False

    @property
    def serves(self) -> bool:
        """Does a program treat the packets, not the kernel alone?"""
        return self.program is not None or self.tap is not None


QUEUE_PROGRAM = "nfmasq.bench.router"

PLAIN = Variant("plain", "plain", "forwards; the server knows the way back", translates=False)
MASQUERADE = Variant("masquerade", "MASQUERADE", "the kernel's own translator", translates=True)
FLOOR = Variant(
    "floor", "floor", "accepts each batch unchanged: the least any queue program can cost",
    translates=False, program=QUEUE_PROGRAM, arguments=("accept",), counts=True,
)  # fmt: skip
REWRITING_FLOOR = Variant(
    "rewriting-floor", "rewriting floor", "rewrites each packet to what it is, without a table",
    translates=False, program=QUEUE_PROGRAM, arguments=("rewrite",), counts=True,
)  # fmt: skip
NFMASQ = Variant(
    "nfmasq", "nfmasq", "the same loop with the table",
    translates=True, program=QUEUE_PROGRAM, arguments=("translate",), counts=True,
)  # fmt: skip
SCAPY = Variant(
    "scapy", "scapy", "a NetfilterQueue callback in Python that translates with scapy",
    translates=True, program="nfmasq.bench.scapy_nat",
)  # fmt: skip

VARIANTS = (PLAIN, MASQUERADE, FLOOR, REWRITING_FLOOR, NFMASQ, SCAPY)
"""Measured unless others are asked for."""

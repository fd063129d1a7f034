"""A control API with a real table behind it and no daemon: what the tests of API and client ask."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from aiohttp import web
from scapy.layers.inet import IP, UDP

from nfmasq._fastpath import Table
from nfmasq.config import Config, parse
from nfmasq.control import api
from nfmasq.control.running import ReloadOutcome, Situation, UplinkState
from nfmasq.control.socket import ControlSocket
from nfmasq.core.policy import Policy, Uplink
from nfmasq.core.worker import Worker
from nfmasq.daemon.helping import Helping
from nfmasq.helpers.engine.tally import HelperCounters
from nfmasq.runtime.forwards import Entry, Forwards
from nfmasq.runtime.helpers import Entry as HelperEntry

CLIENT = IPv4Address("192.168.1.10")
OTHER_CLIENT = IPv4Address("192.168.1.20")
SERVER = IPv4Address("198.51.100.20")
EXTERNAL = IPv4Address("203.0.113.2")
INTERNAL = IPv4Network("192.168.1.0/24")
DNS = 53

SITUATION = Situation((UplinkState("wan0", (EXTERNAL,), "ok"),), ("lan0",), (INTERNAL,), "none")


def forwarding(*forwards: dict[str, Any], kept: Path = Path("/dev/null/forwards")) -> Config:
    """A configuration with these forwards, and the file of those that are kept."""
    nat = {"internal": ["lan0"], "external": "wan0"}
    return parse({"nat": nat, "forward": list(forwards), "engine": {"forwards": str(kept)}})


@dataclass
class Book:
    """The forwards of a `Bare`, in no rules."""

    forwards: Forwards
    external: Sequence[IPv4Address]

    @property
    def entries(self) -> Sequence[Entry]:
        """All of them."""
        return self.forwards.entries

    async def add(self, table: dict[str, Any], persist: bool) -> Entry:
        """Into the book alone."""
        return self.forwards.add(table, persist, self.external)[0]

    async def remove(self, identity: str) -> Entry:
        """Out of the book alone."""
        return self.forwards.remove(identity)


@dataclass
class Helpers:
    """The helpers of a `Bare`, whose engine's thread does not run."""

    helping: Helping

    @property
    def entries(self) -> Mapping[str, HelperEntry]:
        """Those of the board."""
        return self.helping.board.entries

    def counters(self) -> Mapping[str, HelperCounters]:
        """The engine's."""
        return self.helping.counters()

    def expectations(self) -> int:
        """The engine's."""
        return self.helping.expectations()

    async def set_enabled(self, name: str, enabled: bool, network: IPv4Network | None) -> HelperEntry:
        """On the board and in the engine alone."""
        return self.helping.set_enabled(name, enabled, network)


@dataclass
class Bare:
    """What the API asks of a daemon, with nothing but a table."""

    table: Table
    workers: Sequence[Worker] = ()
    started: float = 1_700_000_000.0
    uptime_s: int = 7
    seen: Situation = SITUATION
    outcome: ReloadOutcome = field(default_factory=ReloadOutcome)
    book: Forwards = field(default_factory=lambda: Forwards(forwarding()))
    helping: Helping = field(init=False)

    def __post_init__(self) -> None:
        """FTP is enabled, and no other helper."""
        self.helping = Helping(forwarding(), self.table)

    @property
    def forwards(self) -> Book:
        """The book as the test set it."""
        return Book(self.book, self.seen.external_addresses)

    @property
    def helpers(self) -> Helpers:
        """The helpers as the test set them."""
        return Helpers(self.helping)

    def situation(self) -> Situation:
        """As the test set it."""
        return self.seen

    async def count_guard_drops(self) -> None:
        """The situation has them, as the test set it."""

    async def reload(self) -> ReloadOutcome:
        """As the test set it."""
        return self.outcome


def filled(capacity: int = 10_000) -> Table:
    """An empty table of a router with INTERNAL behind EXTERNAL."""
    table = Table(None, capacity)
    table.configure(Policy(uplinks=(Uplink.pool(EXTERNAL),), internal=(INTERNAL,)))
    return table


def speak(table: Table, host: IPv4Address, port: int, remote: IPv4Address = SERVER) -> None:
    """One UDP packet from an internal endpoint to a remote host's DNS port: makes a session."""
    packet = IP(src=str(host), dst=str(remote)) / UDP(sport=port, dport=DNS) / b"?"
    reason, _ = table.translate(bytes(packet))
    assert reason == ""


@contextmanager
def served(application: web.Application, path: Path) -> Iterator[None]:
    """The application on a control socket at `path`, in a thread of its own."""
    control = ControlSocket(path)
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def serve(done: asyncio.Event) -> None:
        runner = web.AppRunner(application, shutdown_timeout=1.0)
        await runner.setup()
        await web.SockSite(runner, control.listener).start()
        ready.set()
        await done.wait()
        await runner.cleanup()

    done = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(done),))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
        control.close()


@contextmanager
def api_of(running: Bare, path: Path) -> Iterator[None]:
    """The control API in front of `running`."""
    with served(api.application(running), path):
        yield

"""What it costs the daemon to follow its surroundings: the part of a processor, programs it starts included.

The daemon is the real one, on the lab's router, beside a hundred thousand routes: by the uplink, or all
inside. Five times a second a route or a rule of others changes meanwhile, or nothing does. Then the router's
address changes while inside routes do; the time is until a server sees a client as the new one.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from threading import Event, Thread

from nfmasq.bench.reading import BenchError
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.probes import address_seen
from nfmasq.lab.router import DaemonError, DaemonUnderLab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, ISP, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

ROUTES = 100_000
SECONDS = 10.0
EVERY_S = 0.2
"""Between two changes."""
SETTLED_S = 3.0
TICKS = os.sysconf("SC_CLK_TCK")

OUTSIDE, INSIDE = f"via {ISP} dev wan0", f"via {CLIENT2} dev lan0"

IDLE, IDLE_INSIDE, OTHERS, OUTER, INNER = "idle", "idle-inside", "others", "outside", "inside"
TITLES = {
    IDLE: "nothing changes, routes by the uplink",
    OTHERS: "nat rules of others change",
    OUTER: "a route by the uplink changes",
    IDLE_INSIDE: "nothing changes, routes inside",
    INNER: "an inside route changes",
}
"""The states, in the order in which they are measured, for people."""

ABOUT = """\
The part of a processor that the daemon uses, programs it starts included, beside {:,} routes. Five times a
second one thing changes, or nothing does. The time is until a server sees a client as the router's new
address."""

Change = Callable[[Namespace, bool], object]


@dataclass
class Looking:
    """routes: so many. shares: of a processor, by state. address_s: seconds until a new address was in force,
    one for each change of it."""

    routes: int
    shares: dict[str, float] = field(default_factory=dict)
    address_s: list[float] = field(default_factory=list)


def looking(
    progress: Callable[[str], None], routes: int = ROUTES, seconds: float = SECONDS, addresses: int = 8
) -> Looking:
    """Measure each state for so long, and so many changes of the address. Raises BenchError."""
    found = Looking(routes)
    try:
        for way, states in ((OUTSIDE, (IDLE, OTHERS, OUTER)), (INSIDE, (IDLE_INSIDE, INNER))):
            progress(f"starting a daemon beside {routes:,} routes {way}")
            with _bed(way, routes) as (topology, daemon):
                for state in states:
                    progress(f"the part of a processor: {TITLES[state]}")
                    with _changing(topology.router, CHANGES.get(state)):
                        found.shares[state] = _share(daemon, seconds)
                if way is INSIDE:
                    progress("changing the address while inside routes change")
                    with _changing(topology.router, CHANGES[INNER]):
                        found.address_s = list(_addresses(topology, addresses))
    except (DaemonError, OSError, RuntimeError) as error:
        raise BenchError(f"what looking costs could not be measured: {error}") from None
    return found


def _other_rule(router: Namespace, there: bool) -> None:
    router.run(
        "iptables", "-w", "-t", "nat", "-D" if there else "-A", "POSTROUTING", "-o", "docker0", "-j", "RETURN"
    )


def _route(way: str) -> Change:
    return lambda router, there: router.ip(f"route {'del' if there else 'add'} 10.250.1.0/25 {way}")


CHANGES: dict[str, Change] = {OTHERS: _other_rule, OUTER: _route(OUTSIDE), INNER: _route(INSIDE)}


@contextmanager
def _bed(way: str, routes: int) -> Iterator[tuple[Topology, DaemonUnderLab]]:
    """A daemon that has settled beside these routes."""
    many = list(_many(way, routes))
    with Lab(prepare=lambda lab: lab.topology.router.ip(*many), megabytes=1) as lab:
        daemon = lab.daemon
        if daemon is None:
            raise BenchError("the lab has no daemon")
        wait_until(lambda: _share(daemon, SETTLED_S) < 0.02, "a daemon that has settled", 120)
        yield lab.topology, daemon


def _many(way: str, routes: int) -> Iterable[str]:
    """Routes to every other /24 from 10.0.0.0 on."""
    for n in range(0, 2 * routes, 2):
        yield f"route add {10 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24 {way}"


@contextmanager
def _changing(router: Namespace, change: Change | None) -> Iterator[None]:
    """Five changes a second meanwhile, and in the end everything as before."""
    over = Event()
    there = False

    def changing() -> None:
        nonlocal there
        while not over.wait(EVERY_S):
            change(router, there)  # type: ignore[misc]
            there = not there

    thread = Thread(target=changing)
    if change is not None:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if change is not None:
            thread.join()
            if there:
                change(router, there)


def _share(daemon: DaemonUnderLab, seconds: float) -> float:
    before, began = _processor(daemon.pid), time.monotonic()
    time.sleep(seconds)
    return (_processor(daemon.pid) - before) / (time.monotonic() - began)


def _processor(pid: int) -> float:
    """Seconds of a processor that a process used, and the programs it started that have ended."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, stat[11:15])) / TICKS


def _addresses(topology: Topology, many: int) -> Iterator[float]:
    now = EXTERNAL
    for number in range(many):
        then = IPv4Address("203.0.113.70") + number
        topology.router.ip(
            f"address del {now}/24 dev wan0",
            f"address add {then}/24 dev wan0",
            f"route replace default via {ISP} dev wan0",
        )
        for neighbour, device in ((topology.isp, "near"), (topology.server1, "eth0")):
            neighbour.ip(f"neighbour flush dev {device}")
        yield wait_until(
            lambda then=then: address_seen(topology.client1, SERVER2, patience=0.03) == str(then),  # type: ignore[misc]
            f"client1 to be seen as {then}",
            30,
        )
        now = then


def rows(found: Looking) -> Iterator[list[str]]:
    """A row for each state, and one for the address."""
    yield ["", "of a processor"]
    for state, share in found.shares.items():
        yield [TITLES[state], f"{share:.1%}"]
    if found.address_s:
        yield [
            "another address in force, while inside routes change",
            f"{median(found.address_s) * 1e3:.0f} ms",
        ]

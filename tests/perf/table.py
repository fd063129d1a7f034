"""The table alone, without a network: `python -m perf.table SESSIONS` prints a TableCost as JSON.

Internal hosts have 50 UDP endpoints each and all send to one server; every endpoint gets a mapping and a
session. UDP checksums are absent, which RFC 768 allows, so that only the address and port need be written.
"""

import json
import random
import struct
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from nfmasq._fastpath import Table, checksum
from nfmasq.core.policy import Limits, Policy, Uplink
from perf.memory import TableCost, resident

HOSTS = IPv4Network("10.0.0.0/8")
SERVER = IPv4Address("203.0.113.9")
FIRST_EXTERNAL = IPv4Address("198.51.100.1")
EXTERNALS = 40
"""A quarter more ports than a million sessions need: a hash pairs hosts with addresses, not evenly."""

PORTS_A_HOST = 50
FEW = 1000
SAMPLE = 100_000
CHUNK = 10_000

((FIRST_PORT, LAST_PORT),) = Policy((), ()).ports
MEMORY = Path("/dev/shm")
"""Where a state file costs no disk."""

_FIRST_PORT = 5000
_SECOND = int(time.monotonic())


def packets(sessions: Iterable[int]) -> Iterator[bytes]:
    """The packet of each of these sessions, outbound."""
    packet = bytearray(
        struct.pack("!BBHHHBBHII", 0x45, 0, 32, 0, 0x4000, 64, 17, 0, 0, int(SERVER))
        + struct.pack("!HHHH4s", 0, 3478, 12, 0, b"ping")
    )
    host = -1
    for number in sessions:
        if number // PORTS_A_HOST != host:
            host = number // PORTS_A_HOST
            struct.pack_into("!HI", packet, 10, 0, int(HOSTS.network_address) + 1 + host)
            struct.pack_into("!H", packet, 10, 0xFFFF ^ checksum(packet[:20]))
        struct.pack_into("!H", packet, 20, _FIRST_PORT + number % PORTS_A_HOST)
        yield bytes(packet)


def new_table(capacity: int, externals: int = EXTERNALS, path: str | None = None) -> Table:
    """A table with room and ports for so many sessions, each with a mapping of its own.

    No host is held to a share of what is free, so that the last one can begin as the first.
    """
    table = Table(path, capacity)
    external = tuple(FIRST_EXTERNAL + number for number in range(externals))
    limits = Limits(capacity, sessions_per_host=PORTS_A_HOST, ports_per_host=PORTS_A_HOST)
    table.configure(Policy((Uplink.pool(*external),), (HOSTS,), limits=limits))
    return table


def fill(table: Table, sessions: range) -> float:
    """Begin these sessions; nanoseconds each took.

    All of them in one second: none becomes so old that it gives way where the table is nearly full.
    """
    taken = 0.0
    for first in range(sessions.start, sessions.stop, CHUNK):
        some = list(packets(range(first, min(first + CHUNK, sessions.stop))))
        taken += table.pace(some, now=_SECOND) * len(some)
    return taken / max(1, len(sessions))


def measure_few(sessions: int) -> tuple[float, float]:
    """Nanoseconds for a packet that begins a session and for one of a session, with no more than so many.

    Others have come and gone before, so that no page is touched for the first time.
    """
    table = new_table(16 * sessions, externals=1)
    fill(table, range(10 * sessions))
    table.flush()
    last = range(10 * sessions, 11 * sessions)
    return fill(table, last), table.pace(list(packets(random.choices(last, k=SAMPLE))))


def measure_pool() -> tuple[float, float]:
    """Nanoseconds for a session that begins when half of one address's ports are taken, and 99 of 100."""
    ports = LAST_PORT - FIRST_PORT + 1
    table = new_table(ports, externals=1)
    some = ports // 200
    half, nearly = ports // 2, ports * 99 // 100
    fill(table, range(half))
    half_ns = fill(table, range(half, half + some))
    fill(table, range(half + some, nearly))
    return half_ns, fill(table, range(nearly, nearly + some))


def measure_restart(sessions: int) -> float:
    """Seconds until a daemon that was killed has all sessions of its file again."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        path = str(Path(place) / "state")
        table = new_table(sessions, path=path)
        for first in range(0, sessions, CHUNK):
            table.reserve()
            fill(table, range(first, min(first + CHUNK, sessions)))
        table.close()
        begin = time.monotonic()
        again = new_table(sessions, path=path)
        taken = time.monotonic() - begin
        if again.recovered != sessions:
            raise RuntimeError(f"{again.recovered} of {sessions} sessions were recovered")
        again.close()
        return taken


def measure(sessions: int) -> TableCost:
    """Time packets with few sessions in a table, and in one that is filled."""
    new_few, established_few = measure_few(min(FEW, sessions))
    # Made before memory is looked at, and kept, so that what they hold is not taken for the table's.
    to_any = list(packets(random.choices(range(sessions), k=SAMPLE)))
    before = resident("self")
    table = new_table(sessions)
    last = sessions // 10
    fill(table, range(sessions - last))
    new_many = fill(table, range(sessions - last, sessions))
    taken = resident("self") - before
    live = sum(table.gauges().sessions)
    if live != sessions:
        raise RuntimeError(f"{live} of {sessions} sessions began")
    established_many = table.pace(to_any)
    del table
    half, nearly = measure_pool()
    return TableCost(
        sessions=sessions,
        bytes_per_session=taken / sessions,
        new_few_ns=new_few,
        new_many_ns=new_many,
        established_few_ns=established_few,
        established_many_ns=established_many,
        new_half_ns=half,
        new_nearly_ns=nearly,
        restart_s=measure_restart(sessions),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int(sys.argv[1])))), flush=True)

"""Memory: of a daemon that is idle, and of a session in a table of a million.

The idle daemon is a real `nfmasq run` with the default limits on the lab's router, scraped once. The figure
is the kernel's VmRSS, in which shared libraries count in full. A session's figure is the growth of a program
that makes a table and fills it, divided by the number of sessions. Each session has a mapping of its own, the
dearest case, so many external addresses are needed and their port pools count too.
"""

from dataclasses import dataclass
from pathlib import Path

from nfmasq.bench.programs import alone
from nfmasq.bench.reading import BenchError
from nfmasq.lab.router import DaemonError, DaemonUnderLab
from nfmasq.lab.topology import Topology

SESSIONS = 1_000_000

_PATIENCE_S = 300


@dataclass(frozen=True)
class TableCost:
    """What the table alone costs; nanoseconds of processor time a packet, in batches as a worker has them.

    few: with a thousand sessions; many: with all of them. new: one that begins a session. half, nearly: with
    half of an address's ports taken, and 99 of 100. restart_s: seconds to recover all sessions of a file.
    """

    sessions: int
    bytes_per_session: float
    new_few_ns: float
    new_many_ns: float
    established_few_ns: float
    established_many_ns: float
    new_half_ns: float = 0.0
    new_nearly_ns: float = 0.0
    restart_s: float = 0.0


@dataclass(frozen=True)
class Memory:
    """idle: bytes the daemon holds; table: what a full table costs. None: not measured."""

    idle: int | None = None
    table: TableCost | None = None


def resident(pid: int | str) -> int:
    """Bytes a process holds in memory; "self" is ourselves."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"process {pid} has ended")


def idle() -> int:
    """Resident bytes of the daemon on the router, ready and scraped once."""
    try:
        with Topology() as topology, DaemonUnderLab(topology) as daemon:
            daemon.metrics()
            return resident(daemon.pid)
    except (DaemonError, OSError, RuntimeError) as error:
        raise BenchError(f"the daemon could not be measured: {error}") from None


def table_cost(sessions: int = SESSIONS) -> TableCost:
    """Fill a table in a program of its own. Needs no privilege."""
    return TableCost(**alone("perf.table", str(sessions), patience=_PATIENCE_S))

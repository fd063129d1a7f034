"""The cost of a helper: `python -m perf.helpers CONNECTIONS` prints a HelperCost as JSON.

No network is needed. The cost is that of the FTP helper, the engine and the core: processor time from a
packet that is set aside to its verdict, without the verdict's way into the kernel. The clients log in,
announce and get replies, all of it acknowledged, as real ones do.
"""

import gc
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from statistics import median

from nfmasq.bench.programs import alone
from nfmasq.helpers.engine.standing import MOST_EXPECTATIONS
from nfmasq.lab.packets import Endpoint
from perf.control import HOSTS, Control, Router
from perf.memory import resident

CONNECTIONS = 10_000
SAMPLES = 2000
LINES = {
    "plain": "FTP control line",
    "announcing": "FTP control line that announces",
    "announcing_full": f"one that announces while {MOST_EXPECTATIONS} wait",
    "ack": "bare ACK of a control connection",
}
"""What is timed, for people."""

_FEW = MOST_EXPECTATIONS // 2
_AT_ONCE = 2000
"""Connections that announce before what they announced has ended."""
_PORTS_A_HOST = 50
_FIRST_PORT = 5000
_END_WITHIN_S = 30.0
_PATIENCE_S = 300


@dataclass(frozen=True)
class HelperCost:
    """Seconds of processor time, medians; and bytes.

    plain: a line without an endpoint. announcing: one with one, while at most half as many expectations
    wait on this connection as may. announcing_full: while as many wait as may. ack: a segment
    without bytes, of a connection whose lines were rewritten. connections: so many, each idle after it
    announced once; memory: bytes all of them take.
    """

    plain: float
    announcing: float
    announcing_full: float
    ack: float
    connections: int
    memory: int


def measure(connections: int, samples: int = SAMPLES) -> HelperCost:
    """Take so many samples of each line, then hold so many idle connections."""
    router = Router(1 << 16)
    clients = _clients()
    few = _announcing(router, clients)
    full = Control(router, next(clients))
    ports = _ports()
    for _ in range(MOST_EXPECTATIONS):
        _announced(full, next(ports))
    # Interleaved, so that whatever else the machine does meets all alike.
    rows = [(next(few), *_lines(full, next(ports))) for _ in range(samples)]
    announcing, announcing_full, plain, ack = (median(column) for column in zip(*rows, strict=True))
    return HelperCost(plain, announcing, announcing_full, ack, connections, idle(connections))


def idle(connections: int) -> int:
    """Bytes that so many control connections hold, in the core too, each having announced once."""
    router, clients = Router(2 * connections + _AT_ONCE, expectation_s=1), _clients()
    gc.collect()
    before = resident("self")
    for number in range(connections):
        _announced(Control(router, next(clients)), _FIRST_PORT)
        if number % _AT_ONCE == _AT_ONCE - 1:
            _wait_until_nothing_is_expected(router)
    _wait_until_nothing_is_expected(router)
    gc.collect()
    return resident("self") - before


def helper_cost(connections: int = CONNECTIONS) -> HelperCost:
    """Measure it in a program of its own. Needs no privilege."""
    return HelperCost(**alone("perf.helpers", str(connections), patience=_PATIENCE_S))


def _announcing(router: Router, clients: Iterator[Endpoint]) -> Iterator[float]:
    """Of each connection a few lines, so that few wait."""
    for number, port in enumerate(_ports()):
        if number % _FEW == 0:
            control = Control(router, next(clients))
        yield _announced(control, port)


def _announced(control: Control, port: int) -> float:
    taken = control.announce(port)
    control.say(False, b"200 PORT is fine\r\n")
    return taken


def _lines(control: Control, port: int) -> tuple[float, float, float]:
    """A transfer's control lines: what PORT cost, what RETR did, and the server's bare ACK of it."""
    announcing = _announced(control, port)
    plain = control.say(True, b"RETR some/file.txt\r\n")
    ack = control.say(False, b"")
    control.say(False, b"226 Done\r\n")
    return announcing, plain, ack


def _clients() -> Iterator[Endpoint]:
    for number in count():
        host, port = divmod(number, _PORTS_A_HOST)
        yield HOSTS.network_address + 1 + host, _FIRST_PORT + port


def _ports() -> Iterator[int]:
    """Where a client listens: another one each time, as clients do it."""
    for number in count():
        yield _FIRST_PORT + number % 60_000


def _wait_until_nothing_is_expected(router: Router) -> None:
    deadline = time.monotonic() + _END_WITHIN_S
    while router.engine.expectations():
        if time.monotonic() > deadline:
            raise RuntimeError("what was announced does not end")
        time.sleep(0.05)
        router.table.expire()
        router.engine.tick()


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int(sys.argv[1])))), flush=True)

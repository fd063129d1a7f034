"""TCP bulk: iperf3 between client and server, one stream and several, up and down.

The rate is the receiver's: bits of payload a second.
"""

import json
import subprocess

from nfmasq.bench.bed import SERVER, Bed
from nfmasq.bench.reading import BenchError, Figure, Reading

STREAMS = 4

UP = Figure("bulk-up", "TCP up, 1 stream", "Gbit/s", 1e9)
DOWN = Figure("bulk-down", "TCP down, 1 stream", "Gbit/s", 1e9)
UP_STREAMS = Figure("bulk-up-streams", f"TCP up, {STREAMS} streams", "Gbit/s", 1e9)
DOWN_STREAMS = Figure("bulk-down-streams", f"TCP down, {STREAMS} streams", "Gbit/s", 1e9)

OPTIONS = {
    UP: (),
    DOWN: ("--reverse",),
    UP_STREAMS: ("--parallel", str(STREAMS)),
    DOWN_STREAMS: ("--reverse", "--parallel", str(STREAMS)),
}
"""What tells iperf3's client to measure just that."""

_PATIENCE_S = 20.0


def take(figure: Figure, bed: Bed, seconds: float) -> Reading:
    """One run of iperf3, of whole seconds."""
    server = _listening(bed)
    try:
        said = bed.client.run(
            "iperf3", "--client", str(SERVER), "--json", "--time", str(max(1, round(seconds))),
            *OPTIONS[figure],
            check=False,
            timeout=seconds + _PATIENCE_S,
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BenchError("iperf3 did not end in time") from None
    finally:
        server.kill()
        server.communicate()
    return Reading({figure.name: received(said)})


def received(said: str) -> float:
    """Bits a second that arrived, out of iperf3's JSON. Raises BenchError with iperf3's own complaint."""
    try:
        report = json.loads(said)
    except ValueError:
        raise BenchError(
            f"iperf3 failed: {said.strip().splitlines()[-1] if said.strip() else 'no output'}"
        ) from None
    if "error" in report:
        raise BenchError(f"iperf3 failed: {report['error']}")
    return float(report["end"]["sum_received"]["bits_per_second"])


def _listening(bed: Bed) -> "subprocess.Popen[str]":
    """An iperf3 server for one test, once it listens."""
    server = bed.server.popen(
        "iperf3", "--server", "--one-off", "--forceflush",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    assert server.stdout is not None
    for line in server.stdout:
        if "listening" in line:
            return server
    server.kill()
    server.communicate()
    raise BenchError("the iperf3 server did not start")

"""Instructions a packet costs in the table, counted by callgrind: what a quiet machine is not needed for.

Only the core's own functions are counted, so neither Python nor the start nor the kernel is in it; the same
program counted twice differs by less than one in a thousand, for hash keys and ports are drawn anew. It does
not tell what waiting for memory costs. The counts hold for one compiler, and where vector code is chosen
at run time for one kind of processor.

`python -m perf.instructions FILE` counts and writes them to FILE as the new baseline.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nfmasq import _fastpath
from nfmasq.bench.reading import BenchError
from nfmasq.lab.programs import python_environment
from perf.counted import BULK, FULL, MARK, SMALL

FUNCTION = "__pyx_f_6nfmasq_9_fastpath_translate"
"""What is counted, with all it calls: the way of a batch."""

TITLES = {
    "udp-out": f"UDP, {SMALL} bytes, out",
    "udp-in": f"UDP, {SMALL} bytes, in",
    "udp-new": "UDP, a new session",
    "tcp-data-out": f"TCP, {FULL} bytes, out",
    "tcp-data-in": f"TCP, {FULL} bytes, in",
    "tcp-ack-out": "TCP, bare ACK, out",
    "tcp-ack-in": "TCP, bare ACK, in",
    "tcp-new": "TCP, a new session",
    "tcp-bulk-in": f"TCP, {BULK} bytes in, its checksum left to us",
}

MARGIN = 0.05
"""How much more than the baseline is no regression yet."""
LEAST = 0.5
"""Fewer than this part of the baseline: it says nothing any more."""

_PATIENCE_S = 120
_COUNTS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Counts:
    """Instructions a packet, by the names in TITLES, and the compiler that made the core."""

    compiler: str
    packets: dict[str, float]


def count() -> Counts:
    """Count. Raises BenchError when it cannot be done here."""
    if not shutil.which("valgrind"):
        raise BenchError("valgrind not found: apt-get install valgrind")
    with tempfile.TemporaryDirectory(prefix="nfmasq-bench-") as place:
        found = dict(_per_packet(_counted(Path(place) / "part"), Path(place)))
    return Counts(compiler(), found)


def compiler() -> str:
    """What compiled the core, as it signed it; "unknown" where it did not."""
    signed = re.search(rb"GCC: \([^)]*\) [\d.]+|clang version [\d.]+", Path(_fastpath.__file__).read_bytes())
    return signed[0].decode() if signed else "unknown"


def _counted(output: Path) -> list[tuple[str | None, int]]:
    """Run the program that is counted; its parts, of which callgrind has written a file each."""
    command = [
        "valgrind",
        "-q",
        "--tool=callgrind",
        f"--callgrind-out-file={output}",
        f"--dump-before={MARK}",
        f"--toggle-collect={FUNCTION}",
    ]
    try:
        done = subprocess.run(
            [*command, sys.executable, "-m", "perf.counted"],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            env=python_environment("perf"),
        )
    except subprocess.TimeoutExpired:
        raise BenchError("callgrind did not end in time") from None
    if done.returncode != 0:
        raise BenchError(f"callgrind failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return [(name, packets) for name, packets in json.loads(done.stdout)]


def _per_packet(parts: list[tuple[str | None, int]], place: Path) -> Iterator[tuple[str, float]]:
    for number, (name, packets) in enumerate(parts, start=1):
        file = place / f"part.{number}"
        found = _COUNTS.search(file.read_text(encoding="utf-8", errors="replace")) if file.exists() else None
        if found is None or not int(found[1]):
            raise BenchError(
                f"callgrind counted nothing in {FUNCTION}: "
                "the core was compiled in another way, or is stripped"
            )
        if name is not None:
            yield name, int(found[1]) / packets


def regressions(counts: Mapping[str, float], baseline: Mapping[str, float]) -> list[str]:
    """A line for each count that is no longer what the baseline says."""
    said = []
    for name in sorted({*counts, *baseline}):
        if name not in baseline or name not in counts:
            said.append(f"{name}: only in the {'counts' if name in counts else 'baseline'}")
            continue
        ratio = counts[name] / baseline[name]
        if not LEAST <= ratio <= 1 + MARGIN:
            said.append(
                f"{TITLES[name]}: {counts[name]:.0f} instructions a packet, "
                f"{ratio:.3f} of the {baseline[name]:.0f} in the baseline"
            )
    return said


def read(path: Path) -> Counts:
    """A baseline that was written by `write`."""
    return Counts(**json.loads(path.read_text(encoding="utf-8")))


def write(path: Path, counts: Counts) -> None:
    """Keep the counts as a baseline."""
    rounded = {name: round(value, 1) for name, value in counts.packets.items()}
    text = json.dumps({"compiler": counts.compiler, "packets": rounded}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), count())

"""The loop in C, `python -m perf.loop`: a packet at a time, as libnetfilter_queue's example does it.

`loop.c` is compiled when it is wanted, and nothing of that stays. The loop takes this process's place, so
its starter measures and ends the loop.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nfmasq.bench.reading import Unavailable
from nfmasq.bench.router import FIRST_QUEUE, lay_rules

SOURCE = Path(__file__).with_name("loop.c")
LIBRARY = "libnetfilter_queue"


def compiled() -> int:
    """An open descriptor of the compiled loop. Raises Unavailable without compiler or library."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unavailable("no C compiler: apt-get install gcc libc6-dev")
    with tempfile.TemporaryDirectory(prefix="nfmasq-bench-") as place:
        program = Path(place) / "loop"
        command = [compiler, "-O2", "-o", str(program), str(SOURCE), "-lnetfilter_queue"]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            remedy = "apt-get install libnetfilter-queue-dev libnfnetlink-dev"
            raise Unavailable(f"{SOURCE.name} does not compile with {LIBRARY}: {remedy}")
        return os.open(program, os.O_RDONLY | os.O_CLOEXEC)


def main() -> None:
    """Become the loop on one bed's router."""
    try:
        program = compiled()
    except Unavailable as error:
        sys.exit(str(error))
    lay_rules(1)
    os.execve(program, [LIBRARY, str(FIRST_QUEUE)], os.environ)


if __name__ == "__main__":
    main()

"""Builds the object from program.c: `python -m nfmasq.diversion.egress.build`, for developers only.

The object lies in the tree, so nobody who installs needs a compiler. It has the same bytes wherever the same
clang builds it: no debug information, no path, no name of the compiler. clang 14 is Debian 12's.
"""

import platform
import sys
from pathlib import Path

from nfmasq.machine.programs import Outcome, run

COMPILER = "clang-14"
SOURCE = Path(__file__).with_name("program.c")
OBJECT = Path(__file__).with_name("program.bpf.o")


def build(to: Path) -> Outcome:
    """Compile the program to a file."""
    return run(
        COMPILER, "-target", "bpf", "-mcpu=v2", "-O2", "-g0", "-fno-ident", "-fno-addrsig",
        "-Wall", "-Wextra", "-Werror", f"-I/usr/include/{platform.machine()}-linux-gnu",
        "-c", str(SOURCE), "-o", str(to),
    )  # fmt: skip


if __name__ == "__main__":
    built = build(OBJECT)
    if not built.good:
        sys.exit(built.complaint)

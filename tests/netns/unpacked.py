"""Debian's programs as if they were installed: each runs in a mount namespace with their files in place.

The packages are unpacked below .servers by tests/run. In the namespace /usr, /etc and /var show them on top
of the machine's own; /etc and /var can be written, and /run is empty. All of it ends with the program.

What is stored outside: a directory of the program's own, gone at the end.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

from netns.ftp_servers import PROGRAMS
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

LAYERS = f"""
set -e
mount -t tmpfs none /run
for each in etc var; do
    mkdir -p /run/$each/upper /run/$each/work
    below=/$each
    test ! -d {PROGRAMS}/$each || below={PROGRAMS}/$each:/$each
    mount -t overlay none -o lowerdir=$below,upperdir=/run/$each/upper,workdir=/run/$each/work /$each
done
mount -t overlay none -o lowerdir={PROGRAMS}/usr:/usr /usr
"""
"""A shell's commands that lay the files of the packages over the machine's."""


def names(of: Mapping[str, IPv4Address]) -> str:
    """A shell's commands that let these hosts be known by name."""
    lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in of.items())]
    return "printf '%s\\n' " + " ".join(f"'{line}'" for line in lines) + " >/etc/hosts\n"


def script(place: Path, *steps: str) -> list[str]:
    """The command that runs a shell's commands among the unpacked files, in the directory `place`."""
    return ["unshare", "-m", "sh", "-c", "\n".join((LAYERS, f"cd {place}", *steps))]


@contextmanager
def directory() -> Iterator[Path]:
    """A directory that every user may read."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-unpacked-") as name:
        place = Path(name)
        place.chmod(0o755)
        yield place


@contextmanager
def running(
    host: Namespace, place: Path, *steps: str, ready: Callable[[], bool], what: str
) -> Iterator[None]:
    """A program that goes on; the last step begins with `exec`. ready: is it at work? what: for people."""
    output_path = place / "output"
    with output_path.open("w") as output:
        process = host.popen(
            *script(place, *steps),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: process.poll() is not None or ready(), f"{what} to be at work", 30)
        assert process.poll() is None, output_path.read_text()
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def listens(host: Namespace, port: int, protocol: str = "tcp") -> bool:
    """Does a program of the host wait at this port?"""
    return f":{port} " in host.run("ss", "-Hln", f"--{protocol}")

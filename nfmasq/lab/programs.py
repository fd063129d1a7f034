"""The programs that the lab needs, and the servers it runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.payload import Payload

PACKAGES = {
    "curl": "curl",
    "ping": "iputils-ping",
    "traceroute": "traceroute",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
}
"""The programs the lab runs, and the Debian package each is in."""


class ProgramError(Exception):
    """A program failed; the text is what it said."""


def sbin_too() -> str:
    """PATH with the sbin directories, which an administrator's shell may lack."""
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def missing_programs() -> list[tuple[str, str]]:
    """(program, Debian package) of what is not installed."""
    return [(name, package) for name, package in PACKAGES.items() if not shutil.which(name, path=sbin_too())]


def python_environment(*packages: str) -> dict[str, str]:
    """Our environment, in which a child Python finds this very package, and others that we have loaded."""
    roots = (Path(sys.modules[name].__path__[0]).parent for name in ("nfmasq", *packages))
    places = [*dict.fromkeys(map(str, roots)), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


class Servers:
    """The server program on each of these namespaces, from entering to leaving."""

    def __init__(self, namespaces: Iterable[Namespace], payload: Payload) -> None:
        self._namespaces = tuple(namespaces)
        self._payload = payload
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "Servers":
        for namespace in self._namespaces:
            self._running.append(
                namespace.popen(
                    sys.executable, "-m", "nfmasq.lab.servers", "--file-fd", str(self._payload.fd),
                    pass_fds=[self._payload.fd],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    start_new_session=True,
                    env=python_environment(),
                )
            )  # fmt: skip
        for server in self._running:
            if server.stdout is None or server.stdout.readline() != "ready\n":
                self.__exit__()
                raise ProgramError("a server of the lab did not start")
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._running:
            server.kill()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
        self._running.clear()

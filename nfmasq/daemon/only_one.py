"""One daemon in a network namespace: two would fight over the rules, and nobody would notice.

What is stored: two abstract unix sockets, which belong to the network namespace and to no directory. So a
daemon of another mount namespace sees them, and they are free when their process ends, however it ends. The
first is a lock: one process alone can have its name. The second bears the configuration's path in its name,
for the daemon that is refused. `close` ends both.

Any local user may take an abstract name. A lock of a user who is neither root nor ours is no daemon's: the
next name is taken in its place.
"""

import contextlib
import errno
import os
import socket
import struct
from pathlib import Path

LOCKS = tuple(f"\0nfmasq.lock{number or ''}" for number in range(8))
CONFIG_OF = "nfmasq.config "
_UNIX_SOCKETS = Path("/proc/thread-self/net/unix")
_LONGEST_NAME = 107
_LOOKS = 64
"""Looks that wait until the daemon forgets them."""
_PROBE_S = 1.0


class AnotherHere(Exception):
    """A daemon runs in this network namespace. The text names its process and its configuration."""


class OnlyOne:
    """The claim of one daemon to its network namespace.

    Raises AnotherHere, and OSError if no name is free.
    """

    def __init__(self, config_path: Path) -> None:
        self._sockets: list[socket.socket] = []
        try:
            for name in LOCKS:
                self._take_or_pass(name)
            if not self._sockets:
                raise OSError(errno.EADDRINUSE, "other users took all names of nfmasq's lock")
            self._tell(config_path)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """The lock's descriptor, readable when somebody looked at the lock."""
        return self._sockets[0].fileno()

    def forget_look(self) -> None:
        """Close the connection of somebody who looked; without that the lock's queue would fill."""
        with contextlib.suppress(OSError):
            self._sockets[0].accept()[0].close()

    def close(self) -> None:
        """Let the namespace go."""
        for each in self._sockets:
            each.close()

    def _take_or_pass(self, name: str) -> None:
        """Take the name unless another is taken already; pass one of a stranger."""
        holder = _holder(name)
        if holder is not None and holder[1] in {0, os.geteuid()}:
            raise AnotherHere(_about(holder[0]))
        if holder is not None or self._sockets:
            return
        lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            lock.bind(name)
            lock.listen(_LOOKS)
            lock.setblocking(False)
        except OSError as error:
            lock.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise AnotherHere(_about(0)) from None  # it came between the look and the claim
        self._sockets.append(lock)

    def _tell(self, config_path: Path) -> None:
        name = os.fsencode("\0" + CONFIG_OF) + os.fsencode(config_path.absolute())
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets.append(told)
        with contextlib.suppress(OSError):  # the name is for people alone
            told.bind(name[:_LONGEST_NAME])


def _holder(name: str) -> tuple[int, int] | None:
    """Process and user of the socket with this name; the process is 0 where it cannot be seen from here."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(name)
            pid, uid, _ = struct.unpack("iII", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except (TimeoutError, BlockingIOError):  # its queue is full: somebody holds it
            return 0, 0
    return pid, uid


def _about(pid: int) -> str:
    process = f"pid {pid}" if pid else "its pid is not to be seen from here"
    return (
        f"another nfmasq runs in this network namespace ({process}, {_config()}); "
        "stop it first, or run this one in a network namespace of its own"
    )


def _config() -> str:
    try:
        lines = _UNIX_SOCKETS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = [line.partition(f"@{CONFIG_OF}")[2] for line in lines if f"@{CONFIG_OF}" in line]
    return f"config {found[0]}" if found else "its config is not to be seen from here"

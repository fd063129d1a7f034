"""One daemon in a network namespace: two would fight over the rules, and nobody would notice.

What is stored: two abstract unix sockets, which belong to the network namespace and to no directory. So a
daemon of another mount namespace sees them, and they are free when their process ends, however it ends. The
first is a lock: one process alone can have its name. The second bears the configuration's path in its name,
for the daemon that is refused. `close` ends both.

Any local user may take an abstract name. A lock of a user who is neither root nor ours is no daemon's: the
next name is taken in its place. The kernel tells whose a name is, by unix_diag; a kernel without it, by a
connection. There a name that takes no connection is a daemon's, as nothing tells.
"""

import contextlib
import errno
import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from nfmasq.machine.unix_sockets import owners

LOCKS = tuple(f"\0nfmasq.lock{number or ''}" for number in range(64))
CONFIG_OF = "nfmasq.config "
_UNIX_SOCKETS = Path("/proc/thread-self/net/unix")
_LONGEST_NAME = 107
_LOOKS = 64
"""Looks that wait until the daemon forgets them."""
_PROBE_S = 1.0


class AnotherHere(Exception):
    """A daemon runs in this network namespace. The text names its process and its configuration."""


class Holder(NamedTuple):
    """Who has a name. pid: 0: it is not to be seen from here."""

    uid: int
    pid: int


class OnlyOne:
    """The claim of one daemon to its network namespace.

    Raises AnotherHere, and OSError if no name is free.
    """

    def __init__(self, config_path: Path) -> None:
        self._sockets: list[socket.socket] = []
        try:
            holders = _holders()
            for name in LOCKS:
                self._take_or_pass(name, holders.get(name))
            if not self._sockets:
                raise OSError(errno.EADDRINUSE, _about_strangers(holders))
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

    def _take_or_pass(self, name: str, holder: Holder | None) -> None:
        """Take the name unless another is taken already; pass one of a stranger."""
        if holder is not None and holder.uid in {0, os.geteuid()}:
            raise AnotherHere(_about(holder.pid))
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


def _holders() -> dict[str, Holder]:
    """Who has which of the names."""
    try:
        known = owners(LOCKS)
    except OSError:  # a kernel without unix_diag
        known = None
    if known is not None:
        processes = _processes_of({owner.inode for owner in known.values()})
        return {name: Holder(owner.uid, processes.get(owner.inode, 0)) for name, owner in known.items()}
    asked = {name: _asked(name) for name in LOCKS}
    return {name: holder for name, holder in asked.items() if holder is not None}


def _processes_of(inodes: set[int]) -> dict[int, int]:
    """The process that has each of these sockets, where it can be seen from here."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*") if wanted else ():
        with contextlib.suppress(OSError):  # it may end meanwhile
            for link in sorted((process / "fd").iterdir()):
                inode = wanted.get(_target(link))
                if inode is not None:
                    found[inode] = int(process.name)
    return found


def _target(link: Path) -> str:
    """Where a link leads; "" if it is gone."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _asked(name: str) -> Holder | None:
    """Who has this name, by a connection to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(name)
            pid, uid, _ = struct.unpack("iII", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except (TimeoutError, BlockingIOError):  # its queue is full: somebody holds it
            return Holder(0, 0)
    return Holder(uid, pid)


def _about_strangers(holders: dict[str, Holder]) -> str:
    users = sorted({holder.uid for holder in holders.values()})
    processes = sorted({holder.pid for holder in holders.values()} - {0})
    named = f", pid {', '.join(map(str, processes))}" if processes else ""
    return (
        f"user {', '.join(map(str, users))} took all names of nfmasq's lock{named}; end that process, or run "
        "nfmasq in a network namespace of its own"
    )


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

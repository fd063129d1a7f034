"""The control socket's place in the file system.

A socket file outlives a killed daemon, so a connection tells whether a daemon is alive; the file does not.
Our socket is made under another name, listening and with its mode set, and then renamed into place. So a
client sees the old socket or the new one, never a half-made one. At the end the inode tells whether the file
is still ours.

What is stored: the listening socket and the inode of its file. `close` ends both.
"""

import os
import socket
import stat
from pathlib import Path

MODE = 0o660
_BACKLOG = 64
_PROBE_S = 2.0


class AnotherRuns(Exception):
    """A live daemon answers on the socket."""


class ControlSocket:
    """The listening control socket at `path`.

    Raises AnotherRuns when a live daemon has it, FileExistsError when something other than a socket is
    there, and OSError when it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _require_free(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made = path.with_name(f".{os.getpid()}")  # short: the kernel takes 107 bytes of path
        try:
            made.unlink(missing_ok=True)
            self.listener.bind(os.fspath(made))
            made.chmod(MODE)
            self.listener.listen(_BACKLOG)
            self._inode = made.stat().st_ino
            made.rename(path)
        except OSError:
            made.unlink(missing_ok=True)
            self.listener.close()
            raise

    def close(self) -> None:
        """Stop listening and remove the file, if it is still ours."""
        self.listener.close()
        try:
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        except FileNotFoundError:
            pass


def _require_free(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} is there and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except TimeoutError:
            pass  # a program listens and is too busy to answer
    raise AnotherRuns(f"another nfmasq is running and answers on {path}")

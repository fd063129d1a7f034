"""The service manager's end of sd_notify: the daemon's messages are received and kept.

What is stored: a datagram socket on a path, and the messages so far. One thread writes them, from the making
to `close()`; a socket that is not read would block the daemon.
"""

import socket
import threading
from pathlib import Path


class Bell:
    """A context manager; `path` is for NOTIFY_SOCKET, `told` what came, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.2)
        self._open = True
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> "Bell":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening. Harmless when called twice."""
        self._open = False
        self._listener.join()
        self._socket.close()

    def ready(self) -> bool:
        """Has it said that it is ready?"""
        return any("READY=1" in message for message in self.told)

    def _listen(self) -> None:
        while self._open:
            try:
                self.told += self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                continue

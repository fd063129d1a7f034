"""Asks a daemon's control API over its unix socket."""

import http.client
import json
import socket
from pathlib import Path
from typing import Any


class DaemonError(Exception):
    """The daemon did not do as asked; the text has the end of its log."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(socket_path: Path, path: str, method: str, body: object) -> Any:
    """The answer, read as JSON; None where it is empty. Raises DaemonError on an error answer, or on none."""
    connection = _UnixConnection(socket_path)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"} if sent else {})
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        raise DaemonError(f"no answer from the daemon: {error}") from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise DaemonError(f"{method} {path}: {answer.status} {text}")
    return json.loads(text) if text else None

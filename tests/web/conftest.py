"""What the listener serves stands on the same ground as the control API."""

from support.apis import client, command, running, socket_path

__all__ = ["client", "command", "running", "socket_path"]

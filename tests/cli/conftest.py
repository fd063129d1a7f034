"""A control API to ask."""

from support.apis import client, command, running, socket_path

__all__ = ["client", "command", "running", "socket_path"]

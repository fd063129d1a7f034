"""A control API to ask, and a router for commands that need no daemon."""

from support.apis import client, command, running, socket_path
from support.daemons import router

__all__ = ["client", "command", "router", "running", "socket_path"]

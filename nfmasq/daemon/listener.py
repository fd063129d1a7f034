"""A listener with bounds: how many connections it takes, and how long each may take.

What is stored: the connections, each with the moment since which it is idle. The event loop alone reads and
writes them. A connection ends when its client closes it, after `IDLE_S` without an answered request, or when
a newer one needs its place. `close` ends all.

A client that sends half a request is idle: nothing tells it from one that waits between two requests. So the
oldest idle connection goes first. A client that sends its request whole has its answer before its turn
comes. The bound keeps descriptors free for the control API, for netlink and for the programs that lay rules.
"""

import asyncio
import errno
import logging
import socket
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

IDLE_S = 15.0
"""How long a connection may take for the headers of a request, for an answer's way, or for nothing at all."""
LINGER_S = 2.0
"""How long the rest of an unread body is waited for."""
PAUSE_S = 0.5
"""How long a listener rests after the kernel gave it no descriptor, and between two looks at the idle."""

_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

log = logging.getLogger("nfmasq")


@dataclass
class _Connection:
    """One connection. idle_since: seconds of the loop's clock; None while a request is answered."""

    transport: asyncio.Transport
    idle_since: float | None

    @property
    def has_ended(self) -> bool:
        """Whether its descriptor is free again. A closing transport keeps it until its answer is out."""
        return bool(self.transport.get_extra_info("socket").fileno() == -1)


class Listener:
    """Serves an application on a listening socket, with at most `most` connections.

    name: for the log. one_at_a_time: a request waits until the one before it has its answer, so that many
    requests take turns with the rest of the daemon.
    """

    def __init__(
        self,
        name: str,
        application: web.Application,
        listening: socket.socket,
        most: int,
        one_at_a_time: bool,
    ) -> None:
        self._name = name
        self._socket = listening
        self._most = most
        self._turn = asyncio.Semaphore(1 if one_at_a_time else most)
        self._connections: dict[asyncio.BaseTransport, _Connection] = {}
        self._tasks: list[asyncio.Task[None]] = []
        application.middlewares.insert(0, self._middleware())
        self._runner = web.AppRunner(
            application,
            access_log=None,
            shutdown_timeout=1.0,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )

    async def start(self) -> None:
        """Take connections from now on."""
        self._socket.setblocking(False)
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._accept()), loop.create_task(self._end_idle())]

    async def close(self) -> None:
        """Take no more connections, and end those there are when their answers are out."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.cleanup()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(self._socket)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    log.warning("%s: no connection can be taken: %s", self._name, error.strerror)
                    self._end_oldest_idle()
                    await asyncio.sleep(PAUSE_S)
                await asyncio.sleep(0)  # the client went away before its turn; others have theirs
                continue
            if self._has_room():
                await self._serve(accepted)
            else:
                log.warning(
                    "%s: %d connections are busy; another one is closed", self._name, len(self._connections)
                )
                accepted.close()
                await asyncio.sleep(0)  # a full backlog must not keep the others from their turn

    async def _serve(self, accepted: socket.socket) -> None:
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_accepted_socket(server, accepted)
        except OSError:  # the client has gone
            accepted.close()
            return
        self._connections.setdefault(transport, _Connection(transport, loop.time()))

    def _has_room(self) -> bool:
        """Whether one more connection fits; the oldest idle one makes room for it."""
        self._forget_ended()
        return len(self._connections) < self._most or self._end_oldest_idle()

    def _end_oldest_idle(self) -> bool:
        idle = [each for each in self._connections.values() if each.idle_since is not None]
        if not idle:
            return False
        oldest = min(idle, key=lambda each: each.idle_since or 0.0)
        oldest.transport.abort()
        del self._connections[oldest.transport]
        return True

    async def _end_idle(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PAUSE_S)
            self._forget_ended()
            for each in list(self._connections.values()):
                if each.idle_since is not None and each.idle_since + IDLE_S < loop.time():
                    each.transport.abort()

    def _forget_ended(self) -> None:
        for transport in [key for key, each in self._connections.items() if each.has_ended]:
            del self._connections[transport]

    def _middleware(self) -> Middleware:
        @web.middleware
        async def busy(request: web.Request, handler: Handler) -> web.StreamResponse:
            transport = request.transport
            if transport is None:  # the client has gone
                return web.Response(status=400)
            connection = self._connections.setdefault(transport, _Connection(transport, None))
            connection.idle_since = None
            try:
                async with self._turn:
                    return await handler(request)
            finally:
                with suppress(RuntimeError):  # no loop runs any more
                    connection.idle_since = asyncio.get_running_loop().time()

        return busy

"""The bounds of a listener, on real sockets in this process. The hardening tests attack a whole daemon."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from nfmasq.daemon.listener import Listener

WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MOST = 4


class Counted:
    """An application that counts how many requests it answers together."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self.web = web.Application()
        self.web.router.add_get("/", self.answer)

    async def answer(self, _: web.Request) -> web.Response:
        """After a moment."""
        self.now += 1
        self.peak = max(self.peak, self.now)
        await asyncio.sleep(0.02)
        self.now -= 1
        return web.Response(text="ok")


@asynccontextmanager
async def listening(counted: Counted, one_at_a_time: bool) -> AsyncIterator[tuple[str, int]]:
    """The application on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener("tested", counted.web, server, MOST, one_at_a_time)
        await listener.start()
        yield server.getsockname()
        await listener.close()


async def ask(place: tuple[str, int]) -> bytes:
    """The first line of an answer; b"" when the connection was closed without one."""
    reader, writer = await asyncio.open_connection(*place)
    writer.write(WHOLE)
    try:
        return await asyncio.wait_for(reader.readline(), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(("one_at_a_time", "peak"), [(True, 1), (False, MOST)])
def test_requests_take_turns_where_they_shall(one_at_a_time: bool, peak: int) -> None:
    counted = Counted()

    async def meanwhile() -> list[bytes]:
        async with listening(counted, one_at_a_time) as place:
            return await asyncio.gather(*(ask(place) for _ in range(MOST)))

    assert all(b"200" in line for line in asyncio.run(meanwhile()))
    assert counted.peak == peak


def test_the_oldest_idle_connection_makes_room_and_a_busy_one_never_does() -> None:
    async def meanwhile() -> tuple[bytes, bytes]:
        async with listening(Counted(), one_at_a_time=False) as place:
            idle = [await asyncio.open_connection(*place) for _ in range(MOST)]
            await asyncio.sleep(0.1)
            first = await ask(place)
            ended = await asyncio.wait_for(idle[0][0].read(), 5)
            for _, writer in idle:
                writer.close()
            return first, ended

    answered, ended = asyncio.run(meanwhile())
    assert b"200" in answered
    assert ended == b""


def test_when_all_are_busy_the_newcomer_is_closed() -> None:
    async def meanwhile() -> list[bytes]:
        async with listening(Counted(), one_at_a_time=True) as place:
            busy = [asyncio.create_task(ask(place)) for _ in range(MOST)]
            await asyncio.sleep(0.01)
            return [await ask(place), *await asyncio.gather(*busy)]

    newcomer, *others = asyncio.run(meanwhile())
    assert newcomer == b""
    assert all(b"200" in line for line in others)

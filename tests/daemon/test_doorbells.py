"""Doorbells: descriptors that end a wait."""

import asyncio
import os
import time

from nfmasq.daemon.doorbells import COALESCE_S, TICK_S, Doorbells


def waits(*descriptors: int, rounds: int = 1) -> float:
    """The seconds that so many waits for these descriptors take."""

    async def wait() -> float:
        doorbells = Doorbells()
        began = time.monotonic()
        for _ in range(rounds):
            await doorbells.wait(descriptors)
        doorbells.close()
        return time.monotonic() - began

    return asyncio.run(wait())


def test_a_wait_ends_soon_after_a_bell_rang() -> None:
    reader, writer = os.pipe()
    try:
        os.write(writer, b"x")
        assert COALESCE_S <= waits(reader) < TICK_S / 2
        assert COALESCE_S * 2 <= waits(reader, rounds=2) < TICK_S / 2, "what nobody read rings again"
        os.read(reader, 1)
        assert waits(reader) >= TICK_S
    finally:
        os.close(reader)
        os.close(writer)


def test_without_bells_a_wait_takes_a_tick() -> None:
    assert TICK_S <= waits() < 3 * TICK_S


def test_a_bell_that_was_closed_does_no_harm() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"x")

    async def wait() -> None:
        doorbells = Doorbells()
        waiting = asyncio.get_running_loop().create_task(doorbells.wait([reader]))
        await asyncio.sleep(COALESCE_S / 4)
        os.close(reader)
        await waiting
        doorbells.close()

    asyncio.run(wait())
    os.close(writer)

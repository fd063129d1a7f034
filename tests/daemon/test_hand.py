"""The hand: changes one after the other, whoever asks."""

import asyncio
import threading
import time

import pytest

from nfmasq.daemon.hand import Hand


def test_work_is_done_one_after_the_other_in_one_thread() -> None:
    done: list[tuple[int, str]] = []

    def work(number: int, seconds: float) -> int:
        time.sleep(seconds)
        done.append((number, threading.current_thread().name))
        return number

    async def three() -> list[int]:
        hand = Hand()
        tasks = [hand.do(lambda n=n: work(n, 0.02 * (2 - n))) for n in range(3)]  # type: ignore[misc]
        results = await asyncio.gather(*tasks)
        hand.close()
        return list(results)

    assert asyncio.run(three()) == [number for number, _ in done] == [0, 1, 2]
    assert {name for _, name in done} == {"hand_0"}


def test_an_error_reaches_whoever_asked_and_the_next_work_is_done() -> None:
    async def two() -> int:
        hand = Hand()
        with pytest.raises(ZeroDivisionError):
            await hand.do(lambda: 1 // 0)
        try:
            return await hand.do(lambda: 7)
        finally:
            hand.close()

    assert asyncio.run(two()) == 7

"""The page for people, the probes, and the format of a scrape."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestClient, TestServer
from support.behind import Bare

from nfmasq.web import page

Get = Callable[[str], tuple[int, str]]
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def asked(running: Bare) -> Get:
    """GET a path of the page's application: (status, text)."""

    def get(path: str) -> tuple[int, str]:
        async def once() -> tuple[int, str]:
            async with TestClient(TestServer(page.application(running))) as browser:
                answer = await browser.get(path)
                return answer.status, await answer.text()

        return asyncio.run(once())

    return get


def test_the_probes_tell_alive_from_ready(running: Bare, asked: Get) -> None:
    assert asked("/-/healthy") == asked("/-/ready") == (200, "ok\n")
    running.seen = replace(running.seen, problems=("no external address on wan0",))
    assert asked("/-/ready") == (503, "no external address on wan0\n")
    assert asked("/-/healthy")[0] == 200


def test_the_page_shows_state_and_drops_and_escapes_what_it_shows(running: Bare, asked: Get) -> None:
    reason, _ = running.table.translate(b"")
    running.seen = replace(running.seen, problems=("<script>",))
    status, text = asked("/")
    assert status == 200
    assert "degraded" in text
    assert reason in text
    assert "<script>" not in text


def test_a_scrape_speaks_the_format_of_prometheus(running: Bare, asked: Get) -> None:
    status, text = asked("/metrics")
    assert status == 200
    assert "# TYPE nfmasq_packets_total counter" in text

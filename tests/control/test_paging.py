"""Long lists, part by part."""

import pytest
from support.behind import CLIENT, Bare, speak

from nfmasq.control.client import Client
from nfmasq.control.paging import STEP


def test_a_long_list_comes_whole_page_by_page_and_each_row_once(
    running: Bare, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nfmasq.control.client._PAGE", STEP + 1)
    many = 2 * STEP + 345
    for port in range(many):
        speak(running.table, CLIENT, 10_000 + port)
    seen: list[str] = []
    after = 0
    while after is not None:
        answer = client.get("/v1/sessions", limit=STEP + 1, after=after)
        seen += [session["internal"] for session in answer["sessions"]]
        after = answer["next"]
    assert len(seen) == many
    assert set(seen) == {f"{CLIENT}:{10_000 + port}" for port in range(many)}
    assert sum(len(part.rows) for part in client.rows("mappings")) == many
    assert sum(len(part.rows) for part in client.rows("sessions", limit=STEP + 7)) == STEP + 7

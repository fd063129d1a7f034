"""The handlers, asked over a real socket, with a real table behind them."""

import pytest
from support.behind import CLIENT, OTHER_CLIENT, Bare, speak

from nfmasq.config import ConfigError
from nfmasq.control.client import Client, Refused
from nfmasq.control.running import ReloadOutcome


def test_an_unknown_path_or_method_is_answered_in_json(client: Client) -> None:
    for ask, path, status in ((client.get, "/v1/nothing", 404), (client.post, "/v1/status", 405)):
        with pytest.raises(Refused) as refused:
            ask(path)
        assert refused.value.status == status
        assert refused.value.answer["schema"] == 1
        assert path in refused.value.answer["error"]


def test_flush_ends_the_sessions_of_one_host_or_of_all(running: Bare, client: Client) -> None:
    for port in (5000, 5001):
        speak(running.table, CLIENT, port)
        speak(running.table, OTHER_CLIENT, port)
    assert client.post("/v1/flush", {"host": str(CLIENT)}) == {"schema": 1, "flushed": 2}
    assert set(running.table.hosts()) == {OTHER_CLIENT}
    assert client.post("/v1/flush", {"all": True}) == {"schema": 1, "flushed": 2}
    assert not running.table.hosts()


@pytest.mark.parametrize("body", [{}, {"all": False}, {"all": True, "host": str(CLIENT)}, {"host": None}])
def test_a_flush_that_does_not_say_which_ends_nothing(running: Bare, client: Client, body: object) -> None:
    speak(running.table, CLIENT, 5000)
    with pytest.raises(Refused) as refused:
        client.post("/v1/flush", body)  # type: ignore[arg-type]
    assert refused.value.status == 400
    assert CLIENT in running.table.hosts()


def test_a_refused_reload_gives_every_error_with_its_key(running: Bare, client: Client) -> None:
    assert client.post("/v1/reload")["reloaded"] is True
    running.outcome = ReloadOutcome(
        errors=(ConfigError("nat.ports", "bad"), ConfigError("engine.queues", "no"))
    )
    with pytest.raises(Refused) as refused:
        client.post("/v1/reload")
    assert refused.value.status == 422
    assert refused.value.answer["reloaded"] is False
    assert refused.value.answer["errors"] == [
        {"key": "nat.ports", "reason": "bad"},
        {"key": "engine.queues", "reason": "no"},
    ]

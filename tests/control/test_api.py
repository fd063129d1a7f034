"""The handlers, asked over a real socket, with a real table behind them."""

from dataclasses import replace

import pytest
from support.behind import CLIENT, DNS, EXTERNAL, OTHER_CLIENT, SERVER, Bare, speak

from nfmasq._fastpath import REASONS
from nfmasq.config import ConfigError
from nfmasq.control.client import Client, Refused
from nfmasq.control.paging import STEP
from nfmasq.control.running import ReloadOutcome
from nfmasq.core.reasons import SENTENCES


def refusal(client: Client, path: str, **parameters: object) -> str:
    """The error text of a question that is answered with 400."""
    with pytest.raises(Refused) as refused:
        client.get(path, **parameters)
    assert refused.value.status == 400
    assert refused.value.answer["schema"] == 1
    return str(refused.value)


def test_a_session_has_the_fixed_shape(running: Bare, client: Client) -> None:
    speak(running.table, CLIENT, 5000)
    answer = client.get("/v1/sessions")
    assert answer["schema"] == 1
    assert answer["next"] is None
    (session,) = answer["sessions"]
    assert session["protocol"] == "udp"
    assert session["internal"] == f"{CLIENT}:5000"
    assert session["external"].startswith(f"{EXTERNAL}:")
    assert session["remote"] == f"{SERVER}:{DNS}"
    assert set(session) == {
        "protocol", "internal", "external", "remote", "state", "helper",
        "packets_out", "packets_in", "bytes_out", "bytes_in", "age_s", "expires_s",
    }  # fmt: skip
    assert session["helper"] is None
    assert (session["packets_out"], session["bytes_out"], session["packets_in"]) == (1, 29, 0)


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


def test_filters_choose_by_host_port_and_protocol(running: Bare, client: Client) -> None:
    speak(running.table, CLIENT, 5000)
    speak(running.table, CLIENT, 6000)
    speak(running.table, OTHER_CLIENT, 5000)

    def internal(**filters: object) -> set[str]:
        return {session["internal"] for session in client.get("/v1/sessions", **filters)["sessions"]}

    assert internal(host=CLIENT) == {f"{CLIENT}:5000", f"{CLIENT}:6000"}
    assert internal(port=6000) == {f"{CLIENT}:6000"}
    assert internal(host=OTHER_CLIENT, port=6000) == set()
    assert len(internal(protocol="udp")) == len(internal(protocol="17")) == len(internal(port=DNS)) == 3
    assert internal(protocol="tcp") == set()


def test_a_question_that_cannot_be_understood_says_what_can(client: Client) -> None:
    assert "icmp, tcp, udp" in refusal(client, "/v1/sessions", protocol="tpc")
    assert "up to 255" in refusal(client, "/v1/mappings", protocol="256")
    assert "IPv4 address" in refusal(client, "/v1/sessions", host="gateway")
    assert "0 to 65535" in refusal(client, "/v1/sessions", port=65536)
    assert "1 to 10000" in refusal(client, "/v1/sessions", limit=0)
    assert "1 to 10000" in refusal(client, "/v1/hosts", limit="-1")
    assert "0 to 4294967295" in refusal(client, "/v1/mappings", after="9" * 5000)
    assert "host, limit, port" in refusal(client, "/v1/sessions", hots=CLIENT)


def test_an_unknown_path_or_method_is_answered_in_json(client: Client) -> None:
    for ask, path, status in ((client.get, "/v1/nothing", 404), (client.post, "/v1/status", 405)):
        with pytest.raises(Refused) as refused:
            ask(path)
        assert refused.value.status == status
        assert refused.value.answer["schema"] == 1
        assert path in refused.value.answer["error"]


def test_hosts_are_listed_in_order_and_paged_by_address(running: Bare, client: Client) -> None:
    speak(running.table, OTHER_CLIENT, 5000)
    speak(running.table, CLIENT, 5000)
    speak(running.table, CLIENT, 5001)
    first = client.get("/v1/hosts", limit=1)
    assert first["hosts"] == [{"host": str(CLIENT), "sessions": 2, "mappings": 2}]
    second = client.get("/v1/hosts", limit=1, after=first["next"])
    assert second == {
        "schema": 1,
        "hosts": [{"host": str(OTHER_CLIENT), "sessions": 1, "mappings": 1}],
        "next": None,
    }


def test_drops_have_every_reason_with_its_sentence(running: Bare, client: Client) -> None:
    reason, _ = running.table.translate(b"")
    drops = client.get("/v1/drops")["drops"]
    assert [drop["reason"] for drop in drops] == list(REASONS)
    assert all(drop["sentence"] == SENTENCES[drop["reason"]] for drop in drops)
    assert {drop["reason"]: drop["count"] for drop in drops if drop["count"]} == {reason: 1}


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


def test_the_status_counts_by_protocol_and_names_every_problem(running: Bare, client: Client) -> None:
    speak(running.table, CLIENT, 5000)
    status = client.get("/v1/status")
    assert (status["schema"], status["state"], status["problems"]) == (1, "ok", [])
    assert status["sessions"] == status["mappings"] == {"tcp": 0, "udp": 1, "icmp": 0, "other": 0}
    assert status["ports"]["udp"]["in_use"] == 1
    assert status["ports"]["udp"]["capacity"] == 32767 - 1024 + 1
    assert status["packets"]["outbound"]["udp"] == 1
    assert status["bytes"]["outbound"]["udp"] == 29
    assert status["external_addresses"] == [str(EXTERNAL)]
    assert status["started"] == "2023-11-14T22:13:20Z"
    running.seen = replace(running.seen, problems=("no external address on wan0",))
    status = client.get("/v1/status")
    assert (status["state"], status["problems"]) == ("degraded", ["no external address on wan0"])


def test_older_names_in_the_status_stay(running: Bare, client: Client) -> None:
    running.seen = replace(running.seen, problems=("no external address on wan0",), rules_reinstalled=3)
    status = client.get("/v1/status")
    assert status["reasons"] == status["problems"] == ["no external address on wan0"]
    assert status["rules"]["restored"] == status["rules"]["reinstalled"] == 3


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

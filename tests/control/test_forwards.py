"""/v1/forwards, over a real socket."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.behind import CLIENT, EXTERNAL, OTHER_CLIENT, Bare, forwarding, speak

from nfmasq.control.client import Client, Refused
from nfmasq.runtime.forwards import Forwards

Command = Callable[..., Result]
WEB = {"protocol": "tcp", "external_port": "8080", "to": f"{CLIENT}:80"}


@pytest.fixture
def running(running: Bare, tmp_path: Path) -> Bare:
    """With a forward in its configuration, and a place to keep others."""
    running.book = Forwards(forwarding(WEB, kept=tmp_path / "forwards.json"))
    return running


def refusal(ask: Callable[..., Any], *arguments: Any) -> tuple[int, str]:
    """Status and text of what is refused."""
    with pytest.raises(Refused) as refused:
        ask(*arguments)
    assert refused.value.answer["schema"] == 1
    return refused.value.status, str(refused.value)


def ids(client: Client, **parameters: Any) -> list[str]:
    """The ids of a list."""
    return [row["id"] for row in client.get("/v1/forwards", **parameters)["forwards"]]


def test_a_forward_has_the_fixed_shape(client: Client) -> None:
    assert client.get("/v1/forwards") == {
        "schema": 1,
        "forwards": [
            {
                "id": "tcp-8080",
                "source": "config",
                "protocol": "tcp",
                "external_address": None,
                "external_port": "8080",
                "to": [f"{CLIENT}:80"],
                "sessions": 0,
            }
        ],
        "next": None,
    }


def test_one_is_added_listed_and_removed(client: Client) -> None:
    added = client.post("/v1/forwards", {"external_address": str(EXTERNAL), "to": [str(OTHER_CLIENT)]})
    assert (added["schema"], added["id"], added["source"]) == (1, f"{EXTERNAL}-any", "runtime")
    assert (added["warnings"], added["external_port"]) == ([], None)
    kept = client.post("/v1/forwards", {"protocol": 17, "to": str(CLIENT), "persist": True})
    assert (kept["id"], kept["source"], kept["sessions"]) == ("udp", "kept", None)
    assert ids(client) == ["tcp-8080", f"{EXTERNAL}-any", "udp"]
    assert client.delete(f"/v1/forwards/{EXTERNAL}-any") == {"schema": 1, "removed": f"{EXTERNAL}-any"}
    assert ids(client) == ["tcp-8080", "udp"]


def test_an_id_with_a_plus_is_one_like_others(client: Client) -> None:
    client.post("/v1/forwards", {"protocol": "tcp+udp", "external_port": 27015, "to": str(CLIENT)})
    assert client.delete("/v1/forwards/tcp+udp-27015")["removed"] == "tcp+udp-27015"


def test_what_is_wrong_is_told_with_its_keys_and_changes_nothing(client: Client) -> None:
    wrong = {"protcol": "tcp", "external_port": "9-1", "to": "x"}
    status, text = refusal(client.post, "/v1/forwards", wrong)
    assert status == 400
    assert 'protcol: unknown key; did you mean "protocol"?' in text
    assert "external_port: " in text
    assert "to: " in text
    assert refusal(client.post, "/v1/forwards", {**WEB, "persist": 1}) == (
        400,
        "persist must be true or false, not 1",
    )
    clash = {"protocol": "tcp", "external_port": 8080, "to": str(OTHER_CLIENT)}
    assert refusal(client.post, "/v1/forwards", clash) == (
        409,
        "external_port: tcp 8080 is forwarded already, by tcp-8080; take one out",
    )
    assert ids(client) == ["tcp-8080"]


def test_what_is_not_there_or_the_files_is_not_removed(client: Client) -> None:
    assert refusal(client.delete, "/v1/forwards/tcp-1") == (
        404,
        "there is no forward tcp-1; `nfmasq forwards` lists them",
    )
    status, text = refusal(client.delete, "/v1/forwards/tcp-8080")
    assert status == 409
    assert "is in the configuration; take it out there" in text


def test_a_list_is_cut_and_filtered(client: Client) -> None:
    client.post("/v1/forwards", {"protocol": "udp", "external_port": "50-59", "to": str(OTHER_CLIENT)})
    client.post("/v1/forwards", {"external_address": str(EXTERNAL), "to": str(OTHER_CLIENT)})
    everything = ["tcp-8080", "udp-50-59", f"{EXTERNAL}-any"]
    assert ids(client) == everything
    assert ids(client, host=str(OTHER_CLIENT)) == everything[1:]
    assert ids(client, host=str(EXTERNAL)) == everything[2:]
    assert ids(client, port=80) == ids(client, port=8080) == everything[:1]
    assert ids(client, port=55) == everything[1:2]
    assert ids(client, protocol="udp") == everything[1:]
    part = client.get("/v1/forwards", limit=2)
    assert part["next"] == "udp-50-59"
    assert ids(client, after=part["next"]) == everything[2:]
    assert refusal(client.get, "/v1/forwards?after=x")[0] == 400


def test_the_sessions_by_a_forwards_endpoints_are_counted(running: Bare, client: Client) -> None:
    speak(running.table, CLIENT, 5000)
    speak(running.table, OTHER_CLIENT, 5000)
    (session,) = running.table.sessions(host=CLIENT)
    port = session.external[1]
    made = client.post("/v1/forwards", {"protocol": "udp", "external_port": port, "to": str(CLIENT)})
    assert made["sessions"] == 1
    assert client.get("/v1/forwards", protocol="tcp")["forwards"][0]["sessions"] == 0
    around = {"protocol": "udp", "external_port": "1024-32767", "to": str(OTHER_CLIENT)}
    assert client.post("/v1/forwards", around)["sessions"] == 1
    assert [row["sessions"] for row in client.get("/v1/forwards")["forwards"]] == [0, 1, 1]

"""The helpers by API, in metrics and on the page: a real board and engine behind, no traffic."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from scapy.layers.inet import IP, TCP
from support.behind import CLIENT, EXTERNAL, INTERNAL, OTHER_CLIENT, SERVER, Bare, forwarding, speak
from web.test_metrics import series

from nfmasq.config import HelperConfig
from nfmasq.control.client import Client, Refused
from nfmasq.core.policy import Policy, Uplink
from nfmasq.daemon.helping import Helping
from nfmasq.helpers.kit.base import NOT_ACTED_ON
from nfmasq.helpers.protocols import NAMES

Command = Callable[..., Result]
GUESTS = "192.168.2.0/24"
SHAPE = {
    "name", "about", "enabled", "networks", "transport", "ports", "options", "sessions", "messages",
    "not_acted_on", "refused", "seconds",
}  # fmt: skip


def rows(client: Client) -> dict[str, dict[str, Any]]:
    """The helpers by name."""
    return {row["name"]: row for row in client.get("/v1/helpers")["helpers"]}


def refusal(client: Client, name: str, body: dict[str, Any]) -> tuple[int, str]:
    """The status and the words with which a change is refused."""
    with pytest.raises(Refused) as refused:
        client.put(f"/v1/helpers/{name}", body)
    assert refused.value.answer["schema"] == 1
    return refused.value.status, str(refused.value)


def call_ftp(running: Bare, port: int) -> None:
    """CLIENT begins a session with SERVER's FTP port, which the helper reads."""
    ports = running.helping.ports((INTERNAL,))
    running.table.configure(Policy((Uplink(0, (EXTERNAL,), (EXTERNAL,)),), (INTERNAL,), helper_ports=ports))
    packet = IP(src=str(CLIENT), dst=str(SERVER)) / TCP(sport=port, dport=21)
    assert running.table.translate(bytes(packet))[0] == ""


def test_the_list_has_each_helper_with_the_fixed_shape(client: Client) -> None:
    assert client.get("/v1/helpers")["schema"] == 1
    helpers = rows(client)
    assert list(helpers) == list(NAMES)
    assert all(set(row) == SHAPE for row in helpers.values())
    ftp = helpers["ftp"]
    assert (ftp["enabled"], ftp["networks"], ftp["transport"], ftp["ports"]) == (True, [], "tcp", [21])
    assert ftp["messages"] == {
        "seen": 0, "rewritten": 0, "not_acted_on": 0, "refused": 0, "error": 0,
    }  # fmt: skip
    assert ftp["not_acted_on"] == ftp["refused"] == dict.fromkeys(NOT_ACTED_ON, 0)
    assert not helpers["irc"]["enabled"]


def test_the_list_comes_in_parts_and_of_one_helper(client: Client) -> None:
    first = client.get("/v1/helpers", limit=1)
    assert [row["name"] for row in first["helpers"]] == [first["next"]] == [NAMES[0]]
    rest = client.get("/v1/helpers", limit=100, after=first["next"])
    assert ([row["name"] for row in rest["helpers"]], rest["next"]) == (list(NAMES[1:]), None)
    assert [row["name"] for row in client.get("/v1/helpers", helper="irc")["helpers"]] == ["irc"]


def test_a_change_answers_with_the_helper_as_it_is_then(running: Bare, client: Client) -> None:
    answer = client.put("/v1/helpers/irc", {"enabled": True})
    assert (answer["schema"], answer["name"], answer["enabled"]) == (1, "irc", True)
    answer = client.put("/v1/helpers/irc", {"enabled": False, "internal": GUESTS})
    assert (answer["enabled"], answer["networks"]) == (True, [{"cidr": GUESTS, "enabled": False}])
    assert rows(client)["irc"]["networks"] == answer["networks"]
    assert not running.helping._engine.states()["irc"].switch.enabled_for(IPv4Address("192.168.2.1"))
    assert client.put("/v1/helpers/irc", {"enabled": False, "internal": None})["networks"] == []


def test_a_change_that_cannot_be_understood_changes_nothing(client: Client) -> None:
    before = rows(client)
    assert refusal(client, "fpt", {"enabled": True}) == (404, 'there is no helper "fpt"; did you mean "ftp"?')
    for body, told in (
        ({}, "enabled must be true or false"),
        ({"enabled": "yes"}, 'not the string "yes"'),
        ({"enabled": False, "network": GUESTS}, "no such key: 'network'"),
        ({"enabled": False, "internal": "guests"}, "internal: "),
        ({"enabled": False, "internal": "192.168.2.1/24"}, f'did you mean "{GUESTS}"'),
        ({"enabled": False, "internal": 5}, "internal: must be a string"),
    ):
        status, said = refusal(client, "ftp", body)
        assert status == 400
        assert told in said
    assert rows(client) == before


def test_a_helper_whose_ports_another_has_is_refused(running: Bare, client: Client) -> None:
    irc = HelperConfig(enabled=False, ports=[21])
    running.helping.adopt(forwarding().model_copy(update={"helpers": {"irc": irc}}))
    status, said = refusal(client, "irc", {"enabled": True})
    assert status == 409
    assert "tcp port 21 is the ftp helper's" in said


def test_sessions_say_which_helper_reads_them_and_are_found_by_it(running: Bare, client: Client) -> None:
    for port in (40000, 40001, 40002):
        speak(running.table, OTHER_CLIENT, port)
        call_ftp(running, port)
    answer = client.get("/v1/sessions", helper="ftp")
    assert [row["helper"] for row in answer["sessions"]] == ["ftp"] * 3
    assert answer["next"] is None
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        part = client.get("/v1/sessions", helper="ftp", limit=1, after=after)
        found += [row["internal"] for row in part["sessions"]]
        after = part["next"]
    assert found == [f"{CLIENT}:{port}" for port in (40000, 40001, 40002)]
    assert client.get("/v1/sessions", helper="irc")["sessions"] == []
    assert {row["helper"] for row in client.get("/v1/sessions")["sessions"]} == {"ftp", None}
    with pytest.raises(Refused, match=f"no such helper: 'fpt'; there are: {', '.join(NAMES)}"):
        client.get("/v1/sessions", helper="fpt")


def test_every_helper_and_label_is_in_the_metrics_at_0_from_the_start(running: Bare) -> None:
    scraped = series(running)
    assert scraped["nfmasq_expectations", frozenset()] == 0
    for name in NAMES:
        own = frozenset({("helper", name)})
        assert scraped["nfmasq_helper_enabled", own] == (name == "ftp")  # RFC 5382 REQ-6
        assert scraped["nfmasq_helper_sessions", own] == 0
        for part in ("count", "sum"):
            assert scraped[f"nfmasq_helper_duration_seconds_{part}", own] == 0
        for result in ("seen", "rewritten", "refused", "error"):
            assert scraped["nfmasq_helper_messages_total", own | {("result", result)}] == 0
        for reason in NOT_ACTED_ON:
            assert scraped["nfmasq_helper_refused_total", own | {("reason", reason)}] == 0


def test_a_helper_that_is_on_for_one_network_counts_as_enabled(running: Bare, client: Client) -> None:
    client.put("/v1/helpers/irc", {"enabled": True, "internal": GUESTS})
    assert series(running)["nfmasq_helper_enabled", frozenset({("helper", "irc")})] == 1


def test_a_helper_of_others_is_listed_beside_those_of_nfmasq(
    others: Path, running: Bare, client: Client
) -> None:
    running.helping = Helping(forwarding(), running.table)
    assert list(rows(client)) == sorted([*NAMES, "telephone"])
    assert client.put("/v1/helpers/telephone", {"enabled": True})["ports"] == [5999, 6001]

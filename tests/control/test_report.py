"""The status by the API."""

from dataclasses import replace

from support.behind import CLIENT, EXTERNAL, Bare, speak

from nfmasq.control.client import Client


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

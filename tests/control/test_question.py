"""Requests, good and bad."""

import pytest
from support.behind import CLIENT, DNS, OTHER_CLIENT, Bare, speak

from nfmasq.control.client import Client, Refused


def refusal(client: Client, path: str, **parameters: object) -> str:
    """The error text of a question that is answered with 400."""
    with pytest.raises(Refused) as refused:
        client.get(path, **parameters)
    assert refused.value.status == 400
    assert refused.value.answer["schema"] == 1
    return str(refused.value)


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

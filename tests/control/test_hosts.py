"""The list of hosts."""

from support.behind import CLIENT, OTHER_CLIENT, Bare, speak

from nfmasq.control.client import Client


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

"""The list of mappings."""

from support.behind import CLIENT, EXTERNAL, OTHER_CLIENT, Bare, speak

from nfmasq.control.client import Client


def test_a_mapping_has_the_fixed_shape(running: Bare, client: Client) -> None:
    speak(running.table, CLIENT, 5000)
    answer = client.get("/v1/mappings")
    assert (answer["schema"], answer["next"]) == (1, None)
    (mapping,) = answer["mappings"]
    assert set(mapping) == {"protocol", "internal", "external", "sessions", "age_s"}
    assert (mapping["protocol"], mapping["internal"], mapping["sessions"]) == ("udp", f"{CLIENT}:5000", 1)
    assert mapping["external"].startswith(f"{EXTERNAL}:")


def test_mappings_are_filtered_by_host_and_come_in_parts(running: Bare, client: Client) -> None:
    for port in (5000, 5001):
        speak(running.table, CLIENT, port)
    speak(running.table, OTHER_CLIENT, 5000)
    first = client.get("/v1/mappings", host=str(CLIENT), limit=1)
    second = client.get("/v1/mappings", host=str(CLIENT), limit=1, after=first["next"])
    found = {row["internal"] for part in (first, second) for row in part["mappings"]}
    assert found == {f"{CLIENT}:5000", f"{CLIENT}:5001"}

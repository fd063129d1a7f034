"""The list of sessions."""

from support.behind import CLIENT, DNS, EXTERNAL, SERVER, Bare, speak

from nfmasq.control.client import Client


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

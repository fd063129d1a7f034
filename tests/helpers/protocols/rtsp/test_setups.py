"""What a connection has set up: which ports a reply keeps, and which it ends."""

import pytest

from nfmasq.helpers.protocols.rtsp.setups import MOST_STREAMS, Message, Setups

URL = b"rtsp://203.0.113.10/a/%d"


def asked(setups: Setups, number: int, *ports: int, method: bytes = b"SETUP", url: bytes = b"") -> None:
    """The client has sent a request."""
    setups.asked(Message(method=method, url=url or URL % number, number=b"%d" % number, ports=set(ports)))


def answered(setups: Setups, number: int, *ports: int, code: bytes = b"200") -> tuple[set[int], set[int]]:
    """What a reply sets up, and what it ends."""
    return setups.answered(Message(code=code, number=b"%d" % number, session=b"9", ports=set(ports)))


@pytest.fixture
def setups() -> Setups:
    """Two streams of one session: 5000 and 5001, 5002 and 5003."""
    made = Setups()
    for number in (1, 2):
        asked(made, number, 4998 + 2 * number, 4999 + 2 * number)
        assert answered(made, number) == ({4998 + 2 * number, 4999 + 2 * number}, set())
    return made


@pytest.mark.parametrize(
    ("url", "ended"),
    [
        (URL % 1, {5000, 5001}),
        (URL % 2, {5002, 5003}),
        (b"rtsp://203.0.113.10/a", {5000, 5001, 5002, 5003}),
        (b"*", {5000, 5001, 5002, 5003}),
    ],
)
def test_teardown_of_one_stream_or_of_all(setups: Setups, url: bytes, ended: set[int]) -> None:
    asked(setups, 3, method=b"TEARDOWN", url=url)
    assert answered(setups, 3) == (set(), ended)
    asked(setups, 4, method=b"TEARDOWN", url=b"*")
    assert answered(setups, 4) == (set(), {5000, 5001, 5002, 5003} - ended)


def test_a_reply_that_only_tells_to_wait_settles_nothing(setups: Setups) -> None:
    asked(setups, 3, 5004)
    assert answered(setups, 3, code=b"100") == (set(), set())
    assert setups.awaits_setup(b"3")
    assert answered(setups, 3) == ({5004}, set())
    assert not setups.awaits_setup(b"3")


def test_ports_that_another_stream_has_outlive_a_refusal(setups: Setups) -> None:
    asked(setups, 3, 5000, 5004)
    assert answered(setups, 3, code=b"461") == (set(), {5004})


@pytest.mark.parametrize("code", [b"461", b"200"])
def test_ports_that_another_request_waits_with_outlive_a_refusal_and_a_teardown(code: bytes) -> None:
    setups = Setups()
    asked(setups, 1, 5000, 5001)
    if code == b"200":
        assert answered(setups, 1) == ({5000, 5001}, set())
        asked(setups, 2, method=b"TEARDOWN", url=URL % 1)
    asked(setups, 3, 5000, 5004)
    assert answered(setups, 2 if code == b"200" else 1, code=code) == (set(), {5001})
    assert answered(setups, 3) == ({5000, 5004}, set())


def test_ports_of_a_reply_that_nobody_awaits_end(setups: Setups) -> None:
    assert answered(setups, 7, 6000, 6001) == (set(), {6000, 6001})


def test_a_newer_stream_takes_over_its_ports(setups: Setups) -> None:
    asked(setups, 3, 5000, 5001)
    assert answered(setups, 3) == ({5000, 5001}, set())
    asked(setups, 4, method=b"TEARDOWN", url=URL % 3)
    assert answered(setups, 4) == (set(), {5000, 5001})


def test_only_so_many_streams_are_known() -> None:
    setups = Setups()
    for number in range(1, MOST_STREAMS + 3):
        asked(setups, number, 5000 + number)
        answered(setups, number)
    asked(setups, 999, method=b"TEARDOWN", url=b"*")
    assert len(answered(setups, 999)[1]) == MOST_STREAMS

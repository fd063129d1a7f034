"""Connections by a forward go on when their session is lost."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.packets import ACK, PSH, RST, START, SYN, TCP, read, tcp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_EXTERNAL, SERVER, Router, policy

from hot.restarting import restarted
from hot.test_forwards import BOTH, DEFAULT_HOST, SHARED, THREE, WEB, WHOLE, forwarding
from nfmasq.core.policy import Forward, ForwardTarget, HelperPort, Uplink


@pytest.mark.parametrize("flags", [RST, RST | ACK, SYN | ACK], ids=["RST", "RST+ACK", "SYN+ACK"])
@pytest.mark.parametrize("forward", [WEB, WHOLE, DEFAULT_HOST], ids=["port", "address", "default host"])
def test_what_ends_or_answers_a_connection_begins_none(forward: Forward, flags: int) -> None:
    router = forwarding(forward, external=BOTH)
    assert router.try_in(tcp(SERVER, 5000, OTHER_EXTERNAL, 8080, flags))[0] == "tcp_no_session"
    assert router.rows() == []


def lost() -> Router:
    """A router that has lost the session of SERVER's port 5000 with CLIENT's port 80."""
    router = forwarding(WEB)
    router.into(tcp(SERVER, 5000, EXTERNAL, 8080))
    router.out(tcp(CLIENT, 80, SERVER, 5000, SYN | ACK))
    router.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK))
    router.table.flush()
    return router


def test_a_lost_connection_goes_on_when_the_remote_host_speaks() -> None:
    router = lost()
    came = router.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK | PSH, payload=b"GET /"))
    assert read(came) == (SERVER, 5000, CLIENT, 80)
    assert (router.row().state, router.row().expires_s) == ("-", 240)
    answer = router.out(tcp(CLIENT, 80, SERVER, 5000, ACK, acked=START + 6))
    assert read(answer) == (EXTERNAL, 8080, SERVER, 5000)
    assert (router.row().state, router.row().expires_s) == ("established", 7440)


def test_a_lost_connection_goes_on_when_the_internal_host_speaks() -> None:
    router = lost()
    sent = router.out(tcp(CLIENT, 80, SERVER, 5000, ACK | PSH, payload=b"200 OK"))
    assert read(sent) == (EXTERNAL, 8080, SERVER, 5000)
    assert router.row().state == "-"
    router.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK, acked=START + 7))
    assert router.row().state == "established"


@pytest.mark.parametrize("speaker", [CLIENT, SERVER])
def test_a_lost_connection_may_be_in_the_middle_of_much(speaker: IPv4Address) -> None:
    """Windows of a megabyte are in flight, and one side's segments come out of order."""
    router = lost()
    megabyte = 1 << 20
    for number in (megabyte, 0, 2 * megabyte, megabyte // 2):
        sequence = START + 1 + number
        if speaker == CLIENT:
            router.out(tcp(CLIENT, 80, SERVER, 5000, ACK, sequence=sequence, payload=b"x" * 1000))
            router.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK, acked=sequence))
        else:
            router.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK, sequence=sequence, payload=b"x" * 1000))
            router.out(tcp(CLIENT, 80, SERVER, 5000, ACK, acked=sequence))
    assert router.row().state == "established"


def test_a_host_that_knows_no_such_connection_ends_it() -> None:
    router = lost()
    router.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK))
    reset = router.out(tcp(CLIENT, 80, SERVER, 5000, RST, sequence=START + 1))
    assert read(reset) == (EXTERNAL, 8080, SERVER, 5000)
    assert router.row().state == "-"
    router.into(tcp(SERVER, 5000, EXTERNAL, 8080))
    assert router.row().state == "syn-in"


def test_one_side_alone_keeps_no_lost_connection_open() -> None:
    router = lost()
    for _ in range(10):
        router.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK))
        router.wait(20)
    assert router.row().expires_s == 40
    assert router.wait(40) == 1


def test_segments_from_outside_alone_count_as_half_open_and_to_half_of_a_limit() -> None:
    router = forwarding(WEB, half_open_per_host=4)
    seen = [router.try_in(tcp(SERVER, port, EXTERNAL, 8080, ACK))[0] for port in range(1, 5)]
    assert seen == ["", "", "host_half_open_full", "host_half_open_full"]


def test_a_lost_connection_with_an_address_given_away_whole_goes_on_as_that_address() -> None:
    router = forwarding(WHOLE, external=BOTH)
    sent = router.out(tcp(CLIENT, 40000, SERVER, 80, ACK))
    assert read(sent) == (OTHER_EXTERNAL, 40000, SERVER, 80)
    router.into(tcp(SERVER, 80, OTHER_EXTERNAL, 40000, ACK))
    assert router.row().state == "established"


@pytest.mark.parametrize("forward", [SHARED, DEFAULT_HOST], ids=["several targets", "default host"])
def test_a_host_that_shares_its_forward_begins_no_session_in_the_middle(forward: Forward) -> None:
    for host in (CLIENT, *THREE):
        assert forwarding(forward).try_out(tcp(host, 80, SERVER, 5000, ACK))[0] == "tcp_no_session"


def test_a_lost_connection_of_a_helper_does_not_go_on() -> None:
    """By how much the helper had made its messages longer is lost with the session."""
    router = forwarding(WEB, helper_ports=(HelperPort(3, TCP, 80),))
    assert router.passed(tcp(SERVER, 5000, EXTERNAL, 8080, ACK), inbound=True)
    assert router.try_out(tcp(CLIENT, 80, SERVER, 5000, ACK))[0] == "tcp_no_session"
    router.into(tcp(SERVER, 5001, EXTERNAL, 8080))
    assert {row.remote[1]: row.helper for row in router.rows()} == {5001: 3}


def test_a_connection_that_was_taken_up_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state"
    before = Router(policy(forwards=(WEB,)), path=str(path))
    before.into(tcp(SERVER, 5000, EXTERNAL, 8080, ACK))
    after = restarted(before, path, rules=policy(forwards=(WEB,)))
    after.out(tcp(CLIENT, 80, SERVER, 5000, ACK))
    assert after.row().state == "established"


INSIDE = Forward(TCP, OTHER_EXTERNAL, (8080, 8080), (ForwardTarget(CLIENT, (80, 80)),))
OTHERS = Forward(TCP, OTHER_EXTERNAL, (5000, 5000), (ForwardTarget(OTHER_CLIENT, (5000, 5000)),))
UPLINKS = {
    "one": (Uplink.pool(OTHER_EXTERNAL, index=1),),
    "the first of two": (Uplink.pool(OTHER_EXTERNAL, index=1), Uplink.pool(EXTERNAL, index=2)),
    "the second of two": (Uplink.pool(EXTERNAL, index=1), Uplink.pool(OTHER_EXTERNAL, index=2)),
    "one that is away": (Uplink.pool(EXTERNAL, index=1), Uplink.pool(OTHER_EXTERNAL)),
    "one of two that have the address": (
        Uplink.pool(OTHER_EXTERNAL, index=1),
        Uplink.pool(OTHER_EXTERNAL, index=2),
    ),
}


@pytest.mark.parametrize("uplinks", UPLINKS)
@pytest.mark.parametrize("speaker", [CLIENT, OTHER_CLIENT])
def test_a_lost_hairpinned_connection_goes_on_whichever_uplink_has_its_address(
    uplinks: str, speaker: IPv4Address
) -> None:
    """Both ends are inside, and both have a forward."""
    router = forwarding(INSIDE, OTHERS, uplinks=UPLINKS[uplinks], hairpinning=True)
    ends = {CLIENT: (80, 5000), OTHER_CLIENT: (5000, 8080)}
    near, far = ends[speaker]
    reason, sent = router.table.hairpin(tcp(speaker, near, OTHER_EXTERNAL, far, ACK), now=router.now)
    assert reason == ""
    meant = (8080, OTHER_CLIENT, 5000) if speaker == CLIENT else (5000, CLIENT, 80)
    assert read(sent) == (OTHER_EXTERNAL, *meant)


def test_a_hairpinned_segment_of_no_forward_begins_nothing_in_the_middle() -> None:
    router = forwarding(OTHERS, uplinks=UPLINKS["the second of two"], hairpinning=True)
    reason, _ = router.table.hairpin(tcp(CLIENT, 80, OTHER_EXTERNAL, 5000, ACK), now=router.now)
    assert reason == "tcp_no_session"

"""Hairpinned sessions with a helper: a packet is set aside once, for the helpers of both sides' sessions."""

import threading
from pathlib import Path

import pytest
from support.packets import ACK, START, SYN, TCP, UDP, error, l4_at, read, sums_are_right, tcp, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, SERVER, Router, policy

from nfmasq._fastpath import SetAside, Table
from nfmasq.core.policy import Forward, ForwardTarget, HelperPort
from nfmasq.core.rows import Helped

MARK = 1 << 31
SERVED = Forward(TCP, None, (21, 21), (ForwardTarget(OTHER_CLIENT, (21, 21)),))
ELSEWHERE = Forward(TCP, None, (2121, 2121), (ForwardTarget(OTHER_CLIENT, (21, 21)),))
ON_2121 = Forward(TCP, None, (21, 21), (ForwardTarget(OTHER_CLIENT, (2121, 2121)),))
TALK = Forward(UDP, None, (6970, 6970), (ForwardTarget(OTHER_CLIENT, (6970, 6970)),))
HELPERS = HelperPort(3, TCP, 21), HelperPort(4, UDP, 6970)


def routing(forward: Forward = SERVED) -> Router:
    """A router; OTHER_CLIENT serves by a forward."""
    return Router(policy(device=7, helper_ports=HELPERS, forwards=(forward,)))


def set_aside(router: Router, packet: bytes) -> SetAside:
    """A packet that a host sends to an external address is set aside."""
    assert router.table.hairpin(packet, now=router.now)[0] == ""
    packet_aside = router.table.next_set_aside(0)
    assert packet_aside is not None
    assert router.table.next_set_aside(0) is None
    return packet_aside


def readers(aside: SetAside) -> list[Helped]:
    """The sessions whose helpers read the packet, in order."""
    sender = Helped(**{name: getattr(aside, name) for name in Helped._fields})
    return [sender] if aside.receiver is None else [sender, aside.receiver]


@pytest.mark.parametrize(
    ("forward", "port", "served"),
    [(SERVED, 21, 21), (ELSEWHERE, 2121, 21), (ON_2121, 21, 2121)],
    ids=["both", "internal", "remote"],
)
def test_both_sides_have_the_helper_that_one_has(forward: Forward, port: int, served: int) -> None:
    """Whichever of the two ports is the helper's."""
    router = routing(forward)
    aside = set_aside(router, tcp(CLIENT, 40000, EXTERNAL, port))
    client, server = readers(aside)
    assert (client.helper, server.helper) == (3, 3)
    assert (aside.outbound, client.inside_began, server.inside_began) == (True, True, False)
    assert (client.internal, client.remote) == ((CLIENT, 40000), (EXTERNAL, port))
    assert server.internal == (OTHER_CLIENT, served)
    assert (server.external, server.remote) == (client.remote, client.external)


def test_its_destination_is_translated_and_its_mark_sends_it_through_the_second_pass() -> None:
    router = routing()
    aside = set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 21))
    assert read(aside.packet) == (CLIENT, 40000, OTHER_CLIENT, 21)
    assert aside.token[2] == MARK
    sent = router.out(aside.packet, mark=MARK)
    assert read(sent) == (*aside.external, OTHER_CLIENT, 21)
    assert router.table.next_set_aside(0) is None


def test_answers_are_set_aside_too_the_server_s_side_first() -> None:
    router = routing()
    client, server = readers(set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 21)))
    answer = set_aside(router, tcp(OTHER_CLIENT, 21, *client.external, SYN | ACK))
    assert [each.session for each in readers(answer)] == [server.session, client.session]
    assert answer.outbound
    assert read(answer.packet) == (OTHER_CLIENT, 21, CLIENT, 40000)


def test_datagrams_are_set_aside_likewise() -> None:
    router = routing(TALK)
    client, server = readers(set_aside(router, udp(CLIENT, 40000, EXTERNAL, 6970)))
    assert (client.helper, server.helper) == (4, 4)


def test_after_a_restart_both_sides_have_their_helper_from_the_first_packet(tmp_path: Path) -> None:
    """Also while the policy is being settled."""
    rules = policy(
        device=7, helper_ports=HELPERS, forwards=(TALK,), sessions=40100, sessions_per_host=40100,
        ports_per_host=40100,
    )  # fmt: skip
    path = str(tmp_path / "sessions")
    router = Router(rules, 40100, path)
    for port in range(20000):
        router.table.translate(udp(CLIENT, 10000 + port, SERVER, 9000), now=router.now)
    talk = udp(CLIENT, 40000, EXTERNAL, 6970)
    assert set_aside(router, talk)
    router.table.close()
    table = Table(path, 40100)
    settling = threading.Thread(target=table.configure, args=(rules,))
    settling.start()
    helpers: set[tuple[int, ...]] = set()
    while settling.is_alive() or not helpers:
        table.hairpin(talk)
        while (aside := table.next_set_aside(0)) is not None:
            helpers.add(tuple(each.helper for each in readers(aside)))
    settling.join()
    assert helpers == {(4, 4)}


def test_a_host_may_reach_its_own_server() -> None:
    aside = set_aside(routing(), tcp(OTHER_CLIENT, 40000, EXTERNAL, 21))
    assert [each.internal for each in readers(aside)] == [(OTHER_CLIENT, 40000), (OTHER_CLIENT, 21)]


def opened(router: Router) -> tuple[SetAside, SetAside]:
    """The packet that was set aside for each side of an open connection."""
    asked = set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 21))
    answered = set_aside(router, tcp(OTHER_CLIENT, 21, *asked.external, SYN | ACK))
    set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 21, ACK))
    return asked, answered


def test_let_go_both_sides_corrections_are_applied() -> None:
    """The client's side made what the client sent 7 longer, the server's what the server sent 3 shorter."""
    router = routing()
    asked, _ = opened(router)
    client, server = readers(asked)
    said = b"x" * 100
    set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 21, ACK, payload=said))
    set_aside(router, tcp(OTHER_CLIENT, 21, *asked.external, ACK, payload=said))
    here = START + 1 + len(said)
    router.table.correct(client.session, client.serial, 7, 0)
    router.table.correct(server.session, server.serial, -3, 0)
    for each in readers(asked):
        router.table.let_go(each.session, each.serial)
    for packet, sequence, acked in (
        (tcp(CLIENT, 40000, EXTERNAL, 21, ACK, payload=b"x", sequence=here, acked=here - 3), 7, 3),
        (tcp(OTHER_CLIENT, 21, *asked.external, ACK, sequence=here, acked=here + 7), -3, -7),
    ):
        before, after = numbers(packet), numbers(hairpinned(router, packet))
        assert (after[0] - before[0], after[1] - before[1]) == (sequence, acked)


def numbers(packet: bytes) -> tuple[int, int]:
    """A segment's sequence and acknowledgment numbers."""
    at = l4_at(packet)
    return int.from_bytes(packet[at + 4 : at + 8]), int.from_bytes(packet[at + 8 : at + 12])


def hairpinned(router: Router, packet: bytes) -> bytes:
    """Both passes of a packet."""
    reason, sent = router.table.hairpin(packet, now=router.now)
    assert reason == ""
    assert sums_are_right(sent)
    return sent


def test_it_has_its_helpers_again_when_it_begins_anew() -> None:
    router = routing(ELSEWHERE)
    aside = set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 2121))
    for each in readers(aside):
        router.table.let_go(each.session, each.serial)
    refused = tcp(OTHER_CLIENT, 21, *aside.external, 0x14)
    assert hairpinned(router, refused)
    again = set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 2121))
    assert [each.helper for each in readers(again)] == [3, 3]


def test_errors_are_for_no_helper() -> None:
    router = routing()
    asked, _ = opened(router)
    quoted = tcp(*asked.external, OTHER_CLIENT, 21, ACK)
    router.table.hairpin(error(OTHER_CLIENT, asked.external[0], quoted), now=router.now)
    assert router.table.next_set_aside(0) is None


def test_a_control_session_that_is_kept_alive_lives_on_both_sides() -> None:
    router = routing()
    client, server = readers(set_aside(router, tcp(CLIENT, 40000, EXTERNAL, 21)))
    assert router.table.keep(server.session, server.serial, 5000, now=router.now)
    router.wait(4999)
    assert router.table.seen(client.session, client.serial) is not None
    router.wait(1)
    assert router.table.seen(client.session, client.serial) is None


def test_more_than_can_wait_is_dropped_with_a_reason() -> None:
    router = routing()
    packet = tcp(CLIENT, 40000, EXTERNAL, 21)
    reasons = [router.table.hairpin(packet, now=router.now)[0] for _ in range(4097)]
    assert reasons == [""] * 4096 + ["helpers_busy"]


def test_one_packet_fulfils_an_expectation_of_each_side() -> None:
    """The sender's, whose remote port is known, and the receiver's, whose is not."""
    router = routing()
    client, server = readers(opened(router)[0])

    def expect(side: Helped, port: int, remote_port: int) -> int:
        made = router.table.expect(
            *side[:2], UDP, (side.internal[0], port), EXTERNAL, remote_port, 60, now=router.now
        )
        return made.external[1]

    theirs = expect(server, 6000, 0)
    ours = expect(client, 5000, theirs)
    reason, came = router.table.hairpin(udp(CLIENT, 5000, EXTERNAL, theirs), now=router.now)
    assert (reason, read(came)) == ("", (EXTERNAL, ours, OTHER_CLIENT, 6000))
    reason, came = router.table.hairpin(udp(OTHER_CLIENT, 6000, EXTERNAL, ours), now=router.now)
    assert (reason, read(came)) == ("", (EXTERNAL, theirs, CLIENT, 5000))

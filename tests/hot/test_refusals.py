"""Who is told that a packet was refused, when, and what (RFC 5508 REQ-8, 6888 REQ-11, 5382 REQ-4)."""

import gc
import os
import select
from ipaddress import IPv4Address

import pytest
from support.packets import ACK, FIN, GRE, PSH, RST, SYN, TCP, error, portless, read, tcp, udp
from support.router import CLIENT, EXTERNAL, LAN, OTHER_CLIENT, SERVER, Router, policy

from nfmasq._fastpath import Refusal
from nfmasq.core.policy import Filtering, Forward, ForwardTarget

HOST_UNREACHABLE, PORT_UNREACHABLE, PROHIBITED, RESET = 1, 3, 13, 254
PATIENCE = 7
"""Seconds of a clock that counts whole ones, so that six pass in any case."""


def due(router: Router) -> list[Refusal]:
    """The refusals due by the router's clock."""
    return router.table.refusals(router.now)


def is_rung(router: Router) -> bool:
    """Is the bell for refusals ringing?"""
    bell = select.poll()
    bell.register(router.table.refusal_fd, select.POLLIN)
    return bool(bell.poll(0))


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"sessions_per_host": 1}, PROHIBITED),
        ({"ports_per_host": 1}, PROHIBITED),
        ({"half_open_per_host": 1}, PROHIBITED),
        ({"new_per_second_per_host": 1}, PROHIBITED),
        ({"sessions": 1}, HOST_UNREACHABLE),
        ({"half_open": 1}, HOST_UNREACHABLE),
        ({"new_per_second": 1}, HOST_UNREACHABLE),
        ({"ports": ((5000, 5000),)}, HOST_UNREACHABLE),
    ],
    ids=str,
)
def test_an_internal_host_is_told_at_once_that_its_session_cannot_begin(
    limit: dict[str, object], code: int
) -> None:
    router = Router(policy(**limit))
    router.out(tcp(CLIENT, 40000, SERVER, 80))
    packet = tcp(CLIENT, 40001, SERVER, 80)
    assert not is_rung(router)
    assert router.try_out(packet)[1] == b""
    assert is_rung(router)
    assert due(router) == [Refusal(CLIENT, None, code, packet[:28])]
    assert not is_rung(router)
    assert due(router) == []


def test_without_an_external_address_they_are_told_too() -> None:
    router = Router(policy(external=()))
    router.try_out(udp(CLIENT, 40000, SERVER, 53))
    assert [refusal.code for refusal in due(router)] == [HOST_UNREACHABLE]


def test_a_portless_protocol_that_is_taken_is_refused() -> None:
    router = Router()
    router.out(portless(CLIENT, SERVER, GRE))
    router.try_out(portless(OTHER_CLIENT, SERVER, GRE))
    assert [refusal.destination for refusal in due(router)] == [OTHER_CLIENT]


def test_the_sender_of_a_hairpinned_packet_is_told_at_its_own_address() -> None:
    """The limit may be the receiver's."""
    endpoint_independent = Filtering.ENDPOINT_INDEPENDENT
    router = Router(policy(sessions_per_host=1, filtering=endpoint_independent, device=7))
    near = read(router.out(udp(OTHER_CLIENT, 40000, SERVER, 53))).source_port
    packet = udp(CLIENT, 40000, EXTERNAL, near)
    assert router.table.hairpin(packet, now=router.now)[0] == "host_sessions_full"
    assert due(router) == [Refusal(CLIENT, None, PROHIBITED, packet[:28])]


def test_refusals_can_be_switched_off() -> None:
    router = Router(policy(sessions_per_host=1, refusals=False))
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    router.try_out(udp(CLIENT, 40001, SERVER, 53))
    router.try_in(tcp(SERVER, 80, EXTERNAL, near))
    router.wait(PATIENCE)
    assert due(router) == []
    assert not is_rung(router)


@pytest.mark.parametrize(
    "packet",
    [
        udp(IPv4Address("192.168.2.1"), 40000, SERVER, 53),
        error(CLIENT, SERVER, udp(SERVER, 53, CLIENT, 40000)),
        tcp(IPv4Address("192.168.2.1"), 40000, SERVER, 80, ACK),
        tcp(CLIENT, 40000, SERVER, 80, RST),
        tcp(CLIENT, 40000, SERVER, 80, RST | ACK),
        b"\x45",
    ],
    ids=["a spoofed source", "an error", "a spoofed segment", "an RST", "an RST+ACK", "half a packet"],
)
def test_some_are_dropped_without_a_word(router: Router, packet: bytes) -> None:
    assert router.try_out(packet)[0]
    assert due(router) == []


# Segments of no session ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags", [ACK, ACK | PSH, ACK | FIN, SYN | ACK], ids=["ACK", "data", "FIN", "SYN+ACK"]
)
def test_a_segment_of_no_session_is_answered_by_a_reset(router: Router, flags: int) -> None:
    packet = tcp(CLIENT, 40000, SERVER, 80, flags, payload=b"data")
    assert router.try_out(packet)[0] == "tcp_no_session"
    assert is_rung(router)
    assert due(router) == [Refusal(CLIENT, None, RESET, packet[:40])]


@pytest.mark.parametrize("end", ["flushed", "expired"])
def test_the_end_of_a_session_is_told_when_it_is_used_again(router: Router, end: str) -> None:
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 80))).source_port
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    router.out(tcp(CLIENT, 40000, SERVER, 80, ACK))
    assert due(router) == []
    if end == "flushed":
        router.table.flush()
    else:
        router.wait(7440)
    router.try_out(tcp(CLIENT, 40000, SERVER, 80, ACK))
    assert [refusal.code for refusal in due(router)] == [RESET]


@pytest.mark.parametrize("options", [b"", bytes(4), bytes(40)], ids=len)
def test_what_a_reset_needs_is_quoted_behind_any_options(router: Router, options: bytes) -> None:
    packet = tcp(CLIENT, 40000, SERVER, 80, ACK, ip_options=options, options=b"\1" * 40)
    router.try_out(packet)
    assert [refusal.quote for refusal in due(router)] == [packet[: 40 + len(options)]]


def test_a_hairpinned_segment_of_no_session_is_answered_at_either_look() -> None:
    forward = Forward(TCP, None, (8080, 8080), (ForwardTarget(OTHER_CLIENT, (80, 80)),))
    router = Router(policy(device=7, forwards=(forward,)))
    packet = tcp(CLIENT, 40000, EXTERNAL, 8080, ACK)
    assert router.table.hairpin(packet, now=router.now)[0] == "tcp_no_session"
    nowhere = tcp(CLIENT, 40000, EXTERNAL, 5000, ACK)
    assert router.passed(nowhere, inbound=False, hairpin=True)
    assert router.try_out(nowhere, hairpin=True, second_look=True)[0] == "tcp_no_session"
    assert due(router) == [Refusal(CLIENT, None, RESET, each[:40]) for each in (packet, nowhere)]


def test_a_hairpinned_segment_of_a_session_is_never_reset() -> None:
    """While the rules of PREROUTING are away, it comes to the second look alone; the connection goes on."""
    forward = Forward(TCP, None, (8080, 8080), (ForwardTarget(OTHER_CLIENT, (80, 80)),))
    router = Router(policy(device=7, forwards=(forward,)))
    assert router.table.hairpin(tcp(CLIENT, 40000, EXTERNAL, 8080), now=router.now)[0] == ""
    near = next(row.external[1] for row in router.rows() if row.internal[0] == CLIENT)
    for segment in (
        tcp(CLIENT, 40000, EXTERNAL, 8080, ACK),
        tcp(OTHER_CLIENT, 80, EXTERNAL, near, SYN | ACK),
    ):
        assert router.try_out(segment, hairpin=True, second_look=True)[0] == "tcp_no_session"
    assert due(router) == []


def test_a_hairpinned_syn_that_leads_nowhere_is_answered_after_six_seconds() -> None:
    router = Router(policy(device=7))
    packet = tcp(CLIENT, 40000, EXTERNAL, 5000)
    assert router.try_out(packet, hairpin=True, second_look=True)[0] == "no_mapping"
    assert due(router) == []
    router.wait(PATIENCE)
    assert due(router) == [Refusal(CLIENT, None, PORT_UNREACHABLE, packet[:28])]


def test_nobody_outside_gets_a_reset(router: Router) -> None:
    router.try_in(tcp(SERVER, 80, EXTERNAL, 5000, ACK))
    near = read(router.out(tcp(CLIENT, 40000, SERVER, 81))).source_port
    router.try_in(tcp(SERVER, 80, EXTERNAL, near, ACK))
    router.wait(PATIENCE)
    assert due(router) == []


def test_a_segment_that_came_from_outside_is_not_answered_whatever_its_source() -> None:
    """As it would leave again by the interface it came by, under a forged source."""
    router = Router(policy(device=7))
    assert router.try_out(tcp(CLIENT, 40000, SERVER, 80, ACK), came_by=7)[0] == "tcp_no_session"
    assert due(router) == []


def test_a_host_that_floods_leaves_resets_and_errors_to_others() -> None:
    router = Router(policy(sessions_per_host=1))
    router.out(udp(OTHER_CLIENT, 1, SERVER, 53))
    for port in range(1, 2000):
        router.try_out(tcp(CLIENT, port, SERVER, 80, ACK))
    router.try_out(tcp(OTHER_CLIENT, 1, SERVER, 80, ACK))
    router.try_out(udp(OTHER_CLIENT, 2, SERVER, 53))
    told = [(refusal.destination, refusal.code) for refusal in due(router)]
    assert told == 32 * [(CLIENT, RESET)] + [(OTHER_CLIENT, RESET), (OTHER_CLIENT, PROHIBITED)]


def test_a_flood_from_forged_sources_is_answered_in_part() -> None:
    router = Router()
    hosts = list(LAN.hosts())
    for number in range(4000):
        router.try_out(tcp(hosts[number % len(hosts)], 1000 + number, SERVER, 80, ACK))
        if number % 100 == 0:
            due(router)
    before = len(due(router))
    router.try_out(tcp(CLIENT, 1, SERVER, 80, ACK))
    assert due(router) == []
    assert before <= 256
    router.wait(1)
    router.try_out(tcp(CLIENT, 1, SERVER, 80, ACK))
    assert len(due(router)) == 1, "the next second is another one"


# Unsolicited SYNs -----------------------------------------------------------------------------------------


def test_an_unsolicited_syn_is_answered_after_six_seconds(router: Router) -> None:
    """REQ-4: not before; then an ICMP port unreachable from whom it was sent to."""
    syn = tcp(SERVER, 80, EXTERNAL, 5000)
    assert router.try_in(syn)[0] == "no_mapping"
    assert not is_rung(router)
    router.wait(PATIENCE - 1)
    assert due(router) == []
    router.wait(1)
    assert due(router) == [Refusal(SERVER, EXTERNAL, PORT_UNREACHABLE, syn[:28])]


def test_a_filtered_syn_is_answered_like_one_to_nobody(router: Router) -> None:
    near = read(router.out(tcp(CLIENT, 40000, IPv4Address("198.51.100.77"), 80))).source_port
    assert router.try_in(tcp(SERVER, 80, EXTERNAL, near))[0] == "filtered"
    router.wait(PATIENCE)
    assert [refusal.destination for refusal in due(router)] == [SERVER]


def test_a_syn_that_crossed_with_ours_is_not_answered(router: Router) -> None:
    """REQ-4: the connection was opened from inside meanwhile."""
    near = read(router.out(tcp(CLIENT, 40000, IPv4Address("198.51.100.77"), 80))).source_port
    assert router.try_in(tcp(SERVER, 80, EXTERNAL, near))[0] == "filtered"
    router.wait(PATIENCE - 1)
    router.out(tcp(CLIENT, 40000, SERVER, 80))
    router.wait(1)
    assert due(router) == []


@pytest.mark.parametrize(
    "packet", [tcp(SERVER, 80, EXTERNAL, 5000, SYN | ACK), udp(SERVER, 53, EXTERNAL, 5000)]
)
def test_nothing_else_from_outside_is_answered(router: Router, packet: bytes) -> None:
    assert router.try_in(packet)[0]
    router.wait(PATIENCE)
    assert due(router) == []


def test_a_flood_is_answered_in_part_and_nothing_piles_up() -> None:
    router = Router(policy(sessions_per_host=1))
    router.out(udp(CLIENT, 1, SERVER, 53))
    for port in range(2, 1000):
        router.try_out(udp(CLIENT, port, SERVER, 53))
        router.try_in(tcp(SERVER, port, EXTERNAL, 5000))
    assert len(due(router)) == 128
    router.wait(PATIENCE)
    assert len(due(router)) == 256
    router.try_out(udp(CLIENT, 2, SERVER, 53))
    assert len(due(router)) == 1, "the next second is another one"


def test_a_table_that_is_forgotten_lets_its_bell_go() -> None:
    open_before = len(os.listdir("/proc/self/fd"))
    for _ in range(100):
        Router()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= open_before


def test_a_closed_table_lets_its_bell_go() -> None:
    router = Router()
    bell = router.table.refusal_fd
    router.table.close()
    assert router.table.refusal_fd == -1
    with pytest.raises(OSError):
        os.fstat(bell)

"""What the core alone decides about ports, checksums and protocols, against who would guess or confuse."""

import struct
from collections import Counter
from collections.abc import Callable
from itertools import combinations

import pytest
from support.packets import (
    CHECK_AT,
    ESP,
    EXCEEDED,
    GRE,
    HEADER,
    ICMP,
    PARAMETER_PROBLEM,
    TCP,
    UDP,
    UNREACHABLE,
    error,
    portless,
    put,
    query,
    read,
    sums_are_right,
    udp,
    word,
)
from support.router import CLIENT, EXTERNAL, HOP, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy

from hardening.segments import segment
from nfmasq.core.policy import Timeouts

MODULUS = 0xFFFF
"""Of one's complement arithmetic, in which 0 and 0xFFFF are the same number."""


def _check(packet: bytes) -> int:
    value: int = struct.unpack_from("!H", packet, HEADER + CHECK_AT[packet[9]])[0]
    return value


OUT = {
    TCP: segment(CLIENT, 40000, SERVER, 80, payload=b""),
    UDP: udp(CLIENT, 40000, SERVER, 80),
    ICMP: query(CLIENT, SERVER, 40000),
}


def _back(protocol: int, near: int) -> bytes:
    if protocol == TCP:
        return segment(SERVER, 80, EXTERNAL, near, 0x12, sequence=9, acknowledged=1)
    if protocol == UDP:
        return udp(SERVER, 80, EXTERNAL, near)
    return query(SERVER, EXTERNAL, near, kind=0)


every_protocol = pytest.mark.parametrize("protocol", OUT, ids=["tcp", "udp", "icmp"])


@every_protocol
@pytest.mark.parametrize("off", [1, 2, 0x1234, 0x7FFF, 0x8000, 0xFFFE])
def test_a_wrong_checksum_stays_as_wrong_as_it_was(protocol: int, off: int, router: Router) -> None:
    """Checksum-invalid.

    Forwarded translated, its error preserved: never repaired, and no address leaks by it.
    """

    def spoilt(packet: bytes) -> bytes:
        wrong = (_check(packet) + off) % MODULUS or MODULUS
        return put(packet, HEADER + CHECK_AT[protocol], word(wrong))

    right = router.out(OUT[protocol])
    wrong = router.out(spoilt(OUT[protocol]))
    assert (_check(wrong) - _check(right)) % MODULUS == off
    assert wrong[12:20] == right[12:20]
    back = _back(protocol, read(right).source_port)
    right, wrong = router.into(back), router.into(spoilt(back))
    assert (_check(wrong) - _check(right)) % MODULUS == off
    assert wrong[12:20] == right[12:20]


def test_a_udp_checksum_left_out_stays_left_out(router: Router) -> None:
    """UDP zero checksum.

    Both ways: zero stays zero.
    """
    sent = router.out(udp(CLIENT, 40000, SERVER, 53, without_sum=True))
    got = router.into(udp(SERVER, 53, EXTERNAL, read(sent).source_port, without_sum=True))
    assert (_check(sent), _check(got)) == (0, 0)
    assert read(got)[2:] == (CLIENT, 40000)


@pytest.mark.parametrize("ready", [True, False], ids=["summed", "left to the hardware"])
def test_a_udp_checksum_that_comes_to_zero_is_sent_as_all_ones(ready: bool, router: Router) -> None:
    """UDP zero checksum.

    Both ways, updated by the difference and computed anew.
    """
    near = read(router.out(udp(CLIENT, 40000, SERVER, 53))).source_port
    plain = udp(EXTERNAL, near, SERVER, 53, b"\0\0"), udp(SERVER, 53, CLIENT, 40000, b"\0\0")
    filling = [word(_check(packet)) for packet in plain]
    sent = router.out(udp(CLIENT, 40000, SERVER, 53, filling[0]), checksum_ready=ready)
    got = router.into(udp(SERVER, 53, EXTERNAL, near, filling[1]), checksum_ready=ready)
    for packet in (sent, got):
        assert _check(packet) == 0xFFFF
        assert sums_are_right(packet)


@pytest.mark.parametrize("protocol", [0, 2, GRE, ESP, 89, 132, 255])
def test_the_second_host_of_a_protocol_without_ports_is_dropped(protocol: int, router: Router) -> None:
    """Unknown protocol clash.

    Not mixed: what the server answers goes to the first alone, until its session ends.
    """
    router.out(portless(CLIENT, SERVER, protocol))
    assert router.try_out(portless(OTHER_CLIENT, SERVER, protocol)) == ("portless_remote_taken", b"")
    assert router.out(portless(OTHER_CLIENT, OTHER_SERVER, protocol))
    assert read(router.into(portless(SERVER, EXTERNAL, protocol))).destination == CLIENT
    router.wait(Timeouts().other)
    assert router.out(portless(OTHER_CLIENT, SERVER, protocol))
    assert read(router.into(portless(SERVER, EXTERNAL, protocol))).destination == OTHER_CLIENT


Make = Callable[[int], bytes]
BY_PORT: dict[str, Make] = {
    "tcp": lambda port: segment(CLIENT, port, SERVER, 80),
    "udp": lambda port: udp(CLIENT, port, SERVER, 53),
}


@pytest.mark.parametrize("protocol", BY_PORT)
def test_a_port_the_router_holds_is_given_to_nobody(protocol: str) -> None:
    """Port shadow.

    CVE-2021-3773: not to a host that uses the very number as its own, nor when no other is left.
    """
    reserved = frozenset(range(2000, 2064, 3))
    router = Router(policy(ports=(2000, 2063), reserved_tcp=reserved, reserved_udp=reserved))
    given = set()
    for port in (*reserved, *range(3000, 3100)):
        reason, sent = router.try_out(BY_PORT[protocol](port))
        given |= {read(sent).source_port} if not reason else set()
    assert given == set(range(2000, 2064)) - reserved
    assert reason == "ports_exhausted"


@pytest.mark.parametrize("protocol", BY_PORT)
def test_nobody_can_guess_the_next_port(protocol: str) -> None:
    """Port prediction.

    Measured: ports of fresh tables coincide in pairs no oftener than 11 bits of chance allow (there are 15872
    even ones, near 14 bits), and neither a port nor the step from the one before tells the next.
    """
    firsts, steps = [], []
    for _ in range(512):
        router = Router(policy(sessions=8), capacity=8)
        one, two = (read(router.out(BY_PORT[protocol](port))).source_port for port in (40000, 40002))
        firsts.append(one)
        steps.append((two - one) % 31744)
    for values in (firsts, steps):
        pairs = sum(one == two for one, two in combinations(values, 2))
        assert pairs * 2**11 < len(values) * (len(values) - 1) / 2
        assert max(Counter(value // 2 % 2 for value in values).values()) < 0.65 * len(values)


ERRORS = [(UNREACHABLE, code) for code in range(16)] + [(EXCEEDED, 0), (EXCEEDED, 1), (PARAMETER_PROBLEM, 0)]


@every_protocol
@pytest.mark.parametrize(("kind", "code"), ERRORS)
def test_no_error_touches_a_session(protocol: int, kind: int, code: int, router: Router) -> None:
    """ICMP error ends or refreshes a session.

    RFC 4787 REQ-12, RFC 5382 REQ-10, RFC 5508 REQ-6: of whatever type and from whichever side, it changes
    neither state nor timer nor counters, and the session ends when it would have ended.
    """
    sent = router.out(OUT[protocol])
    got = router.into(_back(protocol, read(sent).source_port))
    router.wait(30)
    before = router.row()
    assert read(router.into(error(HOP, EXTERNAL, sent, kind, code))).destination == CLIENT
    router.out(error(CLIENT, SERVER, got, kind, code))
    router.out(error(EXTERNAL, SERVER, got, kind, code), from_router=True)
    assert router.row() == before
    assert router.wait(before.expires_s - 1) == 0
    assert router.wait(1) == 1

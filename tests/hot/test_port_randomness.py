"""Nobody can guess the next external port (RFC 6056). The bounds are so wide that chance never fails."""

from itertools import pairwise

from support.packets import read, udp
from support.router import CLIENT, SERVER, policy

from nfmasq._fastpath import Table

BINS = 16
MOST = 60.0
"""Chi-square of 15 degrees of freedom is above this once in three million times."""


def chi_square(values: list[int], bins: int = BINS) -> float:
    """How far these counts per bin are from even."""
    expected = len(values) / bins
    counts = [values.count(number) for number in range(bins)]
    return sum((count - expected) ** 2 / expected for count in counts)


def ports_of(count: int, sessions: int = 1024) -> list[int]:
    """External ports of that many flows through a fresh table; source ports are even, so ports are."""
    table = Table(None, sessions)
    table.configure(policy(sessions=sessions))
    sent = [table.translate(udp(CLIENT, 2 * number, SERVER, 53))[1] for number in range(1, count + 1)]
    return [read(packet).source_port for packet in sent]


def test_ports_are_spread_over_the_whole_range() -> None:
    ports = ports_of(1000)
    assert chi_square([(port - 1024) * BINS // 31744 for port in ports]) < MOST
    assert chi_square([port // 2 % BINS for port in ports]) < MOST


def test_the_step_from_one_port_to_the_next_tells_nothing() -> None:
    ports = ports_of(1001)
    steps = [(after - before) % 31744 for before, after in pairwise(ports)]
    assert chi_square([step * BINS // 31744 for step in steps]) < MOST
    assert len(set(steps)) > 900


def test_the_first_port_of_every_fresh_table_is_another() -> None:
    first = [ports_of(1, sessions=16)[0] for _ in range(320)]
    assert chi_square([(port - 1024) * BINS // 31744 for port in first]) < MOST
    assert len(set(first)) > 250


def test_two_tables_hand_out_different_ports_in_the_same_case() -> None:
    assert ports_of(8) != ports_of(8)


def test_a_port_that_came_back_is_not_the_next_one_out() -> None:
    table = Table(None, 8)
    table.configure(policy(sessions=8))
    seen = set()
    for _ in range(40):
        seen.add(read(table.translate(udp(CLIENT, 40000, SERVER, 53))[1]).source_port)
        table.flush()
    assert len(seen) > 30

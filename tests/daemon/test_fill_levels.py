"""Fill levels: a problem at 80 and at 90 %, with the host that has the most."""

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from support.packets import SYN, query, tcp, udp
from support.router import CLIENT, EXTERNAL, LAN, OTHER_CLIENT, OTHER_EXTERNAL, SERVER, Router, policy

from nfmasq.daemon.fill_levels import SHARING, FillLevels


class Watched:
    """A router with a hundred ports, and its fill levels."""

    def __init__(self, **changes: object) -> None:
        changes = {"ports": ((5000, 5099),), "sessions": 1000} | changes
        self.router = Router(policy(**changes), capacity=1000)
        self.levels = FillLevels(self.router.table)

    def look(self) -> list[str]:
        """The problems there are now."""
        self.levels.look()
        return list(self.levels.problems())

    def take(self, count: int, host: IPv4Address = CLIENT, first: int = 2000) -> None:
        """So many UDP ports."""
        for port in range(first, first + count):
            self.router.out(udp(host, port, SERVER, 80))


def problem(level: int, host: IPv4Address, what: str = f"UDP ports of {EXTERNAL}") -> str:
    """As the status has it."""
    return f"{level} % of the {what} are in use, most of them by {host}"


@pytest.mark.parametrize(("used", "level"), [(79, 0), (80, 80), (89, 80), (90, 90), (100, 90)])
def test_a_level_is_a_problem_when_it_is_reached(used: int, level: int) -> None:
    watched = Watched()
    assert watched.look() == []
    watched.take(used)
    assert watched.look() == ([problem(level, CLIENT)] if level else [])


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda port: tcp(CLIENT, port, SERVER, 80, SYN), f"TCP ports of {EXTERNAL}"),
        (lambda port: query(CLIENT, SERVER, port), f"ICMP identifiers of {EXTERNAL}"),
        (lambda port: udp(CLIENT, 9, SERVER, port), "sessions"),
    ],
    ids=["tcp", "icmp", "sessions"],
)
def test_each_transport_and_the_table_have_levels_of_their_own(
    make: Callable[[int], bytes], what: str
) -> None:
    watched = Watched(sessions=100 if what == "sessions" else 1000)
    for port in range(85):
        watched.router.out(make(2000 + port))
    assert watched.look() == [problem(80, CLIENT, what)]


def test_each_external_address_has_levels_of_its_own() -> None:
    watched = Watched(external=(EXTERNAL, OTHER_EXTERNAL))
    for host in LAN.hosts():
        if watched.look():
            break
        watched.take(5, host)
    (told,) = watched.look()
    assert told.startswith(("80 % of the UDP ports of 203.0.113.1 ", "80 % of the UDP ports of 203.0.113.2 "))


def test_the_host_with_the_most_is_named_and_stays_named_while_another_has_about_as_many() -> None:
    watched = Watched()
    watched.take(30)
    watched.take(55, OTHER_CLIENT)
    assert watched.look() == [problem(80, OTHER_CLIENT)]
    watched.router.table.flush(OTHER_CLIENT)
    watched.take(40, OTHER_CLIENT)
    watched.take(15, CLIENT, 4000)
    assert watched.look() == [problem(80, OTHER_CLIENT)]


def test_a_fill_that_wavers_makes_two_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    watched.take(78)
    with caplog.at_level("INFO", "nfmasq"):
        for turn in range(10):
            watched.take(4, OTHER_CLIENT, 3000 + 10 * turn)
            watched.look()
            watched.router.table.flush(OTHER_CLIENT)
            watched.look()
        watched.router.table.flush(CLIENT)
        assert watched.look() == []
    assert [line.split(":")[0] for line in caplog.messages] == ["degraded", "mended"]


def test_while_sessions_share_ports_the_status_says_so() -> None:
    watched = Watched(share_ports=True)
    watched.take(100)
    assert watched.levels.warnings() == ()
    watched.router.out(udp(OTHER_CLIENT, 2000, SERVER, 81))
    assert watched.levels.warnings() == (SHARING,)
    watched.router.table.flush(OTHER_CLIENT)
    assert watched.levels.warnings() == ()

"""Which helper reads a session that begins, and what a helper remembers with it."""

from pathlib import Path

import pytest
from support.packets import SYN, TCP, UDP, tcp, udp
from support.router import CLIENT, EXTERNAL, SERVER, Router, policy

from hot.restarting import restarted
from nfmasq.core.policy import Filtering, Forward, ForwardTarget, HelperPort

SIP, FTP = HelperPort(7, UDP, 5060), HelperPort(3, TCP, 21)
RULES = {"helper_ports": (SIP, FTP), "filtering": Filtering.ENDPOINT_INDEPENDENT}


def helpers(router: Router) -> list[int]:
    """The helper of each session, the oldest first."""
    return [row.helper for row in router.table.sessions()]


class TestOverUdp:
    """A phone and its proxies speak from one port each, whoever begins."""

    @pytest.mark.parametrize(
        ("own", "remote", "helper"), [(40000, 5060, 7), (5060, 23456, 7), (5060, 5060, 7), (40000, 23456, 0)]
    )
    def test_the_inside_begins(self, own: int, remote: int, helper: int) -> None:
        router = Router(policy(**RULES))
        router.try_out(udp(CLIENT, own, SERVER, remote))
        assert helpers(router) == [helper]

    @pytest.mark.parametrize(
        ("own", "remote", "helper"), [(40000, 5060, 7), (5060, 23456, 7), (5060, 5060, 7), (40000, 23456, 0)]
    )
    def test_the_outside_begins_at_a_mapping(self, own: int, remote: int, helper: int) -> None:
        router = Router(policy(**RULES))
        router.try_out(udp(CLIENT, own, SERVER, 9000))
        (row,) = router.table.sessions()
        router.try_in(udp(SERVER + 1, remote, EXTERNAL, row.external[1]))
        assert helpers(router)[1:] == [helper]

    @pytest.mark.parametrize(("remote", "helper"), [(5060, 7), (23456, 7)])
    def test_the_outside_begins_at_a_forward(self, remote: int, helper: int) -> None:
        forwards = (Forward(UDP, None, (5060, 5060), (ForwardTarget(CLIENT, (5060, 5060)),)),)
        router = Router(policy(**RULES, forwards=forwards))
        router.try_in(udp(SERVER, remote, EXTERNAL, 5060))
        assert helpers(router) == [helper]


class TestOverTcp:
    """A connection has a client and a server: the server's port counts."""

    @pytest.mark.parametrize(("own", "remote", "helper"), [(40000, 21, 3), (21, 40000, 0)])
    def test_the_inside_begins(self, own: int, remote: int, helper: int) -> None:
        router = Router(policy(**RULES))
        router.try_out(tcp(CLIENT, own, SERVER, remote, SYN))
        assert helpers(router) == [helper]

    @pytest.mark.parametrize(("own", "remote"), [(40000, 21), (21, 40000)])
    def test_the_outside_begins_at_a_mapping(self, own: int, remote: int) -> None:
        router = Router(policy(**RULES))
        router.try_out(tcp(CLIENT, own, SERVER, 9000, SYN))
        (row,) = router.table.sessions()
        router.try_in(tcp(SERVER + 1, remote, EXTERNAL, row.external[1], SYN))
        assert helpers(router)[1:] == [0]


class TestWhatAHelperRemembers:
    """A number for each session over UDP, as long as the session lives."""

    def test_it_outlives_the_process(self, tmp_path: Path) -> None:
        path = tmp_path / "sessions"
        router = Router(policy(**RULES), path=str(path))
        names = []
        for port in (5060, 5061):
            router.try_out(udp(CLIENT, port, SERVER, 5060))
            aside = router.table.next_set_aside(0.5)
            assert aside is not None
            names.append((aside.session, aside.serial))
        assert [router.table.remembered(*name) for name in names] == [0, 0]
        router.table.remember(*names[0], 5)
        router.table.remember(*names[0], (1 << 31) - 1)
        router = restarted(router, path, rules=policy(**RULES))
        router.try_out(udp(CLIENT, 5060, SERVER, 5060))
        aside = router.table.next_set_aside(0.5)
        assert aside is not None
        assert router.table.remembered(aside.session, aside.serial) == (1 << 31) - 1
        assert len(router.table.sessions()) == 2

    def test_it_ends_with_the_session(self) -> None:
        router = Router(policy(**RULES))
        for numbered in (True, False):
            router.try_out(udp(CLIENT, 5060, SERVER, 5060))
            aside = router.table.next_set_aside(0.5)
            assert aside is not None
            assert router.table.remembered(aside.session, aside.serial) == 0
            if numbered:
                router.table.remember(aside.session, aside.serial, 9)
                router.wait(100000)
                assert router.table.remembered(aside.session, aside.serial) == 0

    def test_a_connection_keeps_its_correction_instead(self) -> None:
        router = Router(policy(**RULES))
        router.try_out(tcp(CLIENT, 40000, SERVER, 21, SYN))
        aside = router.table.next_set_aside(0.5)
        assert aside is not None
        router.table.remember(aside.session, aside.serial, 9)
        assert router.table.remembered(aside.session, aside.serial) == 0

    @pytest.mark.parametrize("name", [(0, 0), (1, 1), (99, 1)])
    def test_a_session_that_is_none_has_nothing(self, name: tuple[int, int]) -> None:
        table = Router(policy(**RULES)).table
        table.remember(*name, 9)
        assert table.remembered(*name) == 0

"""Which helper reads a session that begins, and what a helper remembers with it."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from support.packets import SYN, TCP, UDP, tcp, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, SERVER, Router, policy

from hot.restarting import restarted
from nfmasq.core.policy import Filtering, Forward, ForwardTarget, HelperPort, Timeouts

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

    @pytest.mark.parametrize("remote", [5060, 23456])
    @pytest.mark.parametrize(("served", "helper"), [(5060, 7), (7000, 0)])
    @pytest.mark.parametrize("hosts", [(CLIENT,), (CLIENT, OTHER_CLIENT)], ids=["one", "shared"])
    def test_the_outside_begins_at_a_forward(
        self, served: int, remote: int, helper: int, hosts: tuple[IPv4Address, ...]
    ) -> None:
        """Anybody may speak from a helper's port: the server's own counts."""
        targets = tuple(ForwardTarget(host, (served, served)) for host in hosts)
        router = Router(policy(**RULES, forwards=(Forward(UDP, None, (9000, 9000), targets),)))
        router.try_in(udp(SERVER, remote, EXTERNAL, 9000))
        assert helpers(router) == [helper]

    def test_the_inside_begins_at_a_forward_s_endpoint(self) -> None:
        target = (ForwardTarget(CLIENT, (7000, 7000)),)
        router = Router(policy(**RULES, forwards=(Forward(UDP, None, (9000, 9000), target),)))
        router.try_out(udp(CLIENT, 7000, SERVER, 5060))
        assert helpers(router) == [7]


class TestWhenHelpersChange:
    """A phone that is registered speaks in one session for ever."""

    BEFORE = pytest.mark.parametrize("before", [(), (FTP,), (HelperPort(9, UDP, 69),)], ids=str)

    @BEFORE
    @pytest.mark.parametrize("limited", [True, False], ids=["for this host", "for all"])
    def test_a_session_over_udp_gets_the_one_that_has_come(
        self, before: tuple[HelperPort, ...], *, limited: bool
    ) -> None:
        router = Router(policy(helper_ports=before))
        router.try_out(udp(CLIENT, 5060, SERVER, 5060))
        router.try_out(tcp(CLIENT, 40000, SERVER, 21, SYN))
        came = replace(SIP, networks=(IPv4Network(f"{CLIENT}/32"),)) if limited else SIP
        router.table.configure(policy(helper_ports=(came, FTP)))
        assert helpers(router)[0] == 7
        router.try_out(udp(CLIENT, 5060, SERVER, 5060))
        assert router.table.next_set_aside(0.5) is not None

    def test_a_connection_is_read_from_its_first_byte_or_not_at_all(self) -> None:
        router = Router(policy())
        router.try_out(tcp(CLIENT, 40000, SERVER, 21, SYN))
        router.table.configure(policy(helper_ports=(SIP, FTP)))
        assert helpers(router) == [0]

    def test_a_session_that_was_let_go_gets_it_again_when_it_comes_back(self) -> None:
        router = Router(policy(**RULES))
        router.try_out(udp(CLIENT, 5060, SERVER, 5060))
        aside = router.table.next_set_aside(0.5)
        assert aside is not None
        router.table.configure(policy(helper_ports=(FTP,)))
        router.table.let_go(aside.session, aside.serial)
        assert helpers(router) == [0]
        router.table.configure(policy(helper_ports=(FTP, SIP)))
        assert helpers(router) == [7]

    def test_a_session_that_was_let_go_stays_so_while_helpers_stay(self) -> None:
        """Its dialogue left."""
        router = Router(policy(**RULES))
        router.try_out(udp(CLIENT, 5060, SERVER, 5060))
        aside = router.table.next_set_aside(0.5)
        assert aside is not None
        router.table.let_go(aside.session, aside.serial)
        for timeouts in (Timeouts(udp=77), Timeouts(udp=78)):
            router.table.configure(policy(**RULES, timeouts=timeouts))
            assert helpers(router) == [0]

    def test_one_that_is_enabled_over_a_restart_reads_it_too(self, tmp_path: Path) -> None:
        path = tmp_path / "sessions"
        router = Router(policy(), path=str(path))
        router.try_out(udp(CLIENT, 5060, SERVER, 5060))
        router = restarted(router, path, rules=policy(**RULES))
        assert helpers(router) == [7]


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

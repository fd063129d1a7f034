"""Pinholes as narrow as announced: an expectation lets in one session, while its control session goes on."""

from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from support.packets import ACK, FIN, RST, SYN, TCP, UDP, read, tcp, udp
from support.router import CLIENT, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy

from hot.restarting import restarted
from nfmasq._fastpath import SetAside
from nfmasq.core.policy import Filtering, HelperPort, Timeouts
from nfmasq.core.rows import Expected

FTP = HelperPort(3, TCP, 21)
MAKE: dict[int, Callable[..., bytes]] = {TCP: tcp, UDP: udp}


@pytest.fixture(params=list(Filtering))
def filtering(request: pytest.FixtureRequest) -> Filtering:
    """However wide the network's filtering is."""
    chosen: Filtering = request.param
    return chosen


@pytest.fixture
def router(filtering: Filtering) -> Router:
    """A router that filters so."""
    return Router(policy(helper_ports=(FTP,), filtering=filtering))


def control(router: Router, port: int = 40000) -> SetAside:
    """CLIENT's open session with SERVER's port 21."""
    router.try_out(tcp(CLIENT, port, SERVER, 21))
    packet = aside(router)
    router.try_in(tcp(SERVER, 21, *packet.external, SYN | ACK))
    router.try_out(tcp(CLIENT, port, SERVER, 21, ACK))
    aside(router), aside(router)
    return packet


def aside(router: Router) -> SetAside:
    """The packet that was set aside."""
    packet = router.table.next_set_aside(0)
    assert packet is not None
    return packet


def announce(
    router: Router, parent: SetAside, remote: IPv4Address | None = SERVER, protocol: int = TCP
) -> Expected:
    """CLIENT is going to be called at port 5000."""
    return router.table.expect(
        parent.session, parent.serial, protocol, (CLIENT, 5000), remote, 0, 60, now=router.now
    )


@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("remote", [SERVER, None])
def test_one_session_comes_in_and_no_other(router: Router, protocol: int, remote: IPv4Address | None) -> None:
    make = MAKE[protocol]
    place = announce(router, control(router), remote, protocol).external
    router.into(make(SERVER, 20, *place))
    for caller in ((SERVER, 21), (SERVER, 999), (OTHER_SERVER, 20)):
        assert router.try_in(make(*caller, *place))[0] == "filtered"
    assert router.into(make(SERVER, 20, *place)), "the session goes on"


def test_an_expectation_that_waits_lets_in_no_other_either(router: Router) -> None:
    place = announce(router, control(router)).external
    assert router.try_in(tcp(OTHER_SERVER, 20, *place))[0] == "filtered"
    assert router.into(tcp(SERVER, 20, *place))


def test_when_the_session_is_over_none_comes_in(router: Router) -> None:
    place = announce(router, control(router)).external
    router.into(tcp(SERVER, 20, *place))
    router.out(tcp(CLIENT, 5000, SERVER, 20, RST | ACK))
    assert router.try_in(tcp(SERVER, 21, *place))[0] == "filtered"


@pytest.mark.parametrize("is_first", [False, True])
def test_a_port_by_which_the_host_calls_is_filtered_as_any_other(
    router: Router, filtering: Filtering, is_first: bool
) -> None:
    """Announced before or after: the host opened it itself."""
    if is_first:
        router.out(tcp(CLIENT, 5000, OTHER_SERVER, 80))
    place = announce(router, control(router)).external
    router.into(tcp(SERVER, 20, *place))
    assert read(router.out(tcp(CLIENT, 5000, OTHER_SERVER, 80)))[:2] == place
    plain = Router(policy(filtering=filtering))
    near = read(plain.out(tcp(CLIENT, 5000, OTHER_SERVER, 80)))[:2]
    for caller in ((OTHER_SERVER, 81), (SERVER, 81)):
        assert router.try_in(tcp(*caller, *place))[0] == plain.try_in(tcp(*caller, *near))[0]


def reset(router: Router, parent: SetAside) -> None:
    """The client breaks the control connection off."""
    router.try_out(tcp(CLIENT, 40000, SERVER, 21, RST | ACK))
    aside(router)


def close(router: Router, parent: SetAside) -> None:
    """Both sides end it."""
    router.try_out(tcp(CLIENT, 40000, SERVER, 21, FIN | ACK))
    router.try_in(tcp(SERVER, 21, *parent.external, FIN | ACK))
    aside(router), aside(router)


def expire(router: Router, parent: SetAside) -> None:
    """Nothing is said for too long."""
    router.wait(31)


def be_followed(router: Router, parent: SetAside) -> None:
    """It expires, and the next session takes its record."""
    router.wait(31)
    router.out(tcp(OTHER_CLIENT, 40000, SERVER, 80))
    assert router.rows()[0].number == parent.session


def be_followed_by_its_own_host(router: Router, parent: SetAside) -> None:
    """Likewise."""
    router.wait(31)
    router.out(tcp(CLIENT, 40001, SERVER, 80))
    assert router.rows()[0].number == parent.session


@pytest.mark.parametrize("end", [reset, close, expire, be_followed, be_followed_by_its_own_host])
@pytest.mark.parametrize("remote", [SERVER, None])
def test_nothing_comes_in_once_the_control_session_has_ended(
    end: Callable[[Router, SetAside], None], remote: IPv4Address | None
) -> None:
    """At that moment, not when the helpers' thread comes to withdraw it."""
    router = Router(policy(helper_ports=(FTP,), timeouts=Timeouts(tcp_established=30)))
    parent = control(router)
    place = announce(router, parent, remote).external
    end(router, parent)
    assert "expected" in {row.state for row in router.rows()}
    assert router.try_in(tcp(SERVER, 20, *place))[0] == "filtered"


def test_a_half_closed_control_session_goes_on() -> None:
    """A client may have said all it had to say, and wait for its transfer."""
    router = Router(policy(helper_ports=(FTP,)))
    place = announce(router, control(router)).external
    router.try_out(tcp(CLIENT, 40000, SERVER, 21, FIN | ACK))
    assert router.into(tcp(SERVER, 20, *place))


def test_a_session_that_came_outlives_its_control_session() -> None:
    router = Router(policy(helper_ports=(FTP,)))
    parent = control(router)
    place = announce(router, parent).external
    router.into(tcp(SERVER, 20, *place))
    reset(router, parent)
    assert router.out(tcp(CLIENT, 5000, SERVER, 20, SYN | ACK))


def test_whoever_announces_an_endpoint_last_has_its_expectation() -> None:
    """Two control sessions of one client: the end of the first one does not take it from the second."""
    router = Router(policy(helper_ports=(FTP,)))
    first, second = control(router), control(router, 40001)
    old, new = announce(router, first), announce(router, second)
    assert old.external == new.external
    assert not router.table.withdraw(old.session, old.serial, now=router.now)
    reset(router, first)
    assert router.into(tcp(SERVER, 20, *new.external))


def test_a_restart_leaves_a_pinhole_as_narrow(tmp_path: Path) -> None:
    rules = policy(helper_ports=(FTP,), filtering=Filtering.ENDPOINT_INDEPENDENT)
    before = Router(rules, 64, str(tmp_path / "state"))
    place = announce(before, control(before)).external
    before.into(tcp(SERVER, 20, *place))
    after = restarted(before, tmp_path / "state", rules=rules)
    assert after.try_in(tcp(SERVER, 21, *place))[0] == "filtered"
    assert after.into(tcp(SERVER, 20, *place))

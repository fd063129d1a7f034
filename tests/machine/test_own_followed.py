"""What the router takes is read again where a tunnel or an IPsec state changed, and only there."""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import NoReturn

import pytest
from support.capabilities import without_net_admin
from support.kernels import kernel_with
from support.path import EXTERNAL, SERVER, Path

from nfmasq.lab.waiting import wait_until
from nfmasq.machine.own import ESP, GRE, Taken
from nfmasq.machine.own_followed import OwnFollowed, _Kind
from nfmasq.machine.watches import TunnelsWatch

pytestmark = pytest.mark.root

FAR, FARTHER = IPv4Address(SERVER), IPv4Address("198.51.100.99")
A_SECOND = ("limit", "time-hard", "1")
KEYS = ("enc", "cbc(aes)", f"0x{1:032x}", "auth", "hmac(sha1)", f"0x{1:040x}")


class Follower:
    """Looks on the router: what it takes, and what was read for that."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.followed: OwnFollowed = path.router.call(OwnFollowed)
        self.look()

    def look(self) -> tuple[Taken, ...]:
        found: tuple[Taken, ...] = self._path.router.call(self.followed.taken, 256)
        return found

    def reads(self) -> int:
        """How often something was read at a look now."""
        before = self.followed.reads
        self.look()
        return self.followed.reads - before


@pytest.fixture
def follower(path: Path) -> Iterator[Follower]:
    made = Follower(path)
    yield made
    made.followed.close()


def made_gre(path: Path, remote: IPv4Address) -> None:
    with kernel_with("gre"):
        path.router.ip(f"link add t0 type gre local {EXTERNAL} remote {remote}", "link set t0 up")


def test_while_nothing_changes_nothing_is_read(follower: Follower) -> None:
    assert [follower.reads() for _ in range(3)] == [0, 0, 0]


def refusing(code: int) -> Callable[[], NoReturn]:
    """A reader, or a maker of watches, that the kernel answers with an error."""

    def refuse() -> NoReturn:
        raise OSError(code, os.strerror(code))

    return refuse


def untold() -> NoReturn:
    """No answer came in time."""
    raise TimeoutError("timed out")


KINDS = {"raw sockets": 0, "tunnels": 1, "IPsec states": 2}
FAILURES = {
    "No buffer space available": refusing(errno.ENOBUFS),
    "Operation not permitted": refusing(errno.EPERM),
    "timed out": untold,
}


def of_kind(follower: Follower, name: str) -> _Kind:
    """The kind, as on a kernel that has it, whatever this one has."""
    kind = (follower.followed._sockets, *follower.followed._watched)[KINDS[name]]
    if name == "IPsec states":
        kind.close()
        kind._make, kind._is_there = TunnelsWatch, True
    return kind


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("failure", FAILURES)
def test_where_a_read_fails_the_answer_of_before_stays_and_the_failure_is_a_problem(
    follower: Follower, name: str, failure: str
) -> None:
    kind, followed = of_kind(follower, name), follower.followed
    kind._read, kind._due = lambda: [Taken(GRE, FAR)], True
    assert follower.look() == (Taken(GRE, FAR),)
    kind._read, kind._due = FAILURES[failure], True
    for _ in range(2):
        assert follower.look() == (Taken(GRE, FAR),)
        assert followed.problems() == [f"the router's own {name} cannot be read: {failure}"]
    kind._read = lambda: [Taken(GRE, FARTHER)]
    assert follower.look() == (Taken(GRE, FARTHER),)
    assert followed.problems() == []


def test_states_that_the_kernel_does_not_tell_are_a_problem_until_it_does(
    path: Path, follower: Follower
) -> None:
    kind = follower.followed._watched[1]
    with kernel_with("IPsec"):
        path.router.run("ip", "xfrm", "state", "list")
    kind._due = True
    path.router.call(without_net_admin(follower.followed.taken), 256)
    told = "the router's own IPsec states cannot be read: Operation not permitted"
    assert follower.followed.problems() == [told]
    assert follower.reads() == 1
    assert follower.followed.problems() == []


@pytest.mark.parametrize("what", ["_make", "_read"])
def test_a_kernel_without_the_kind_is_asked_once(follower: Follower, what: str) -> None:
    """Each question would have the kernel look for the module again."""
    kind = of_kind(follower, "IPsec states")
    asked = []

    def lacking() -> NoReturn:
        asked.append(True)
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))

    kind.taken, kind._due = [Taken(ESP, FAR)], True
    setattr(kind, what, lacking)
    assert follower.look() == ()
    assert [follower.reads() for _ in range(3)] == [0, 0, 0]
    assert len(asked) == 1
    assert follower.followed.problems() == []


@pytest.mark.parametrize("failing", ["made", "heard"])
def test_a_watch_that_fails_is_made_again_and_its_kind_is_read_meanwhile(
    follower: Follower, failing: str
) -> None:
    kind = of_kind(follower, "tunnels")
    follower.look()
    assert kind._watch is not None
    kind._watch.close()
    if failing == "made":
        kind._watch, kind._make = None, refusing(errno.EMFILE)
        assert [follower.reads() for _ in range(3)] == [1, 1, 1]
        kind._make = TunnelsWatch
    assert follower.reads() == 1
    if failing == "heard":
        assert follower.reads() == 1
    assert [follower.reads() for _ in range(3)] == [0, 0, 0]


def test_interfaces_of_containers_start_no_reading(path: Path, follower: Follower) -> None:
    path.router.ip(
        "link add veth9 type veth peer name veth8", "link set veth9 up", "link set veth8 up",
        "link del veth9", "link add bridge9 type bridge", "link set bridge9 up",
    )  # fmt: skip
    assert follower.reads() == 0


def test_a_tunnel_is_followed_as_it_comes_changes_and_goes(path: Path, follower: Follower) -> None:
    made_gre(path, FAR)
    assert follower.look() == (Taken(GRE, FAR),)
    path.router.ip(f"tunnel change t0 mode gre local {EXTERNAL} remote {FARTHER}")
    assert follower.look() == (Taken(GRE, FARTHER),)
    path.router.ip("link set t0 down")
    assert follower.look() == ()
    path.router.ip("link set t0 up")
    assert follower.look() == (Taken(GRE, FARTHER),)
    path.router.ip("link del t0")
    assert follower.look() == ()
    assert follower.reads() == 0


def test_an_ipsec_state_is_followed_as_it_comes_expires_and_goes(path: Path, follower: Follower) -> None:
    state = f"src {SERVER} dst {EXTERNAL} proto esp spi".split()
    with kernel_with("IPsec"):
        path.router.run("ip", "xfrm", "state", "add", *state, "0x77", "mode", "tunnel", *KEYS)
    assert Taken(ESP, FAR) in follower.look()
    path.router.run("ip", "xfrm", "state", "delete", *state, "0x77")
    assert follower.look() == ()
    path.router.run("ip", "xfrm", "state", "add", *state, "0x78", "mode", "tunnel", *KEYS)
    path.router.run("ip", "xfrm", "state", "flush")
    assert follower.look() == ()
    path.router.run("ip", "xfrm", "state", "add", *state, "0x79", "mode", "tunnel", *KEYS, *A_SECOND)
    assert Taken(ESP, FAR) in follower.look()
    wait_until(lambda: follower.look() == (), "the state to expire", 20)
    assert follower.reads() == 0


def test_more_events_than_there_is_room_for_are_read_anew(path: Path, follower: Follower) -> None:
    """A tunnel's may have been among those that were lost."""
    watch = follower.followed._watched[0]._watch
    assert watch is not None
    watch._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    path.router.ip("link add veth9 type veth peer name veth8")
    path.router.ip(*(f"link set veth9 {state}" for state in ("up", "down") * 50), "link del veth9")
    assert follower.reads() == 1
    assert follower.reads() == 0

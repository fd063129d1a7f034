"""What the router takes is read again where a tunnel or an IPsec state changed, and only there."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from support.path import EXTERNAL, SERVER, Path

from nfmasq.machine.own import ESP, GRE, Taken
from nfmasq.machine.own_followed import OwnFollowed

pytestmark = pytest.mark.root

FAR, FARTHER = IPv4Address(SERVER), IPv4Address("198.51.100.99")
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
    try:
        path.router.ip(f"link add t0 type gre local {EXTERNAL} remote {remote}", "link set t0 up")
    except RuntimeError as error:
        pytest.skip(f"this kernel has no gre: {error}")


def test_while_nothing_changes_nothing_is_read(follower: Follower) -> None:
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
    try:
        path.router.run("ip", "xfrm", "state", "add", *state, "0x77", "mode", "tunnel", *KEYS)
    except RuntimeError as error:
        pytest.skip(f"this kernel has no IPsec: {error}")
    assert Taken(ESP, FAR) in follower.look()
    path.router.run("ip", "xfrm", "state", "delete", *state, "0x77")
    assert follower.look() == ()
    path.router.run("ip", "xfrm", "state", "add", *state, "0x78", "mode", "tunnel", *KEYS)
    path.router.run("ip", "xfrm", "state", "flush")
    assert follower.look() == ()
    assert follower.reads() == 0


def test_more_events_than_there_is_room_for_are_read_anew(path: Path, follower: Follower) -> None:
    """A tunnel's may have been among those that were lost."""
    watch = follower.followed._kinds[0]._watch
    assert watch is not None
    watch._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    path.router.ip("link add veth9 type veth peer name veth8")
    path.router.ip(*(f"link set veth9 {state}" for state in ("up", "down") * 50), "link del veth9")
    assert follower.reads() == 1
    assert follower.reads() == 0

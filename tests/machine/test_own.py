"""What the router itself takes of protocols without ports, read on a real one."""

import socket
from ipaddress import IPv4Address

import pytest
from support.path import CLIENT, EXTERNAL, SERVER, Path

from nfmasq.machine.own import ESP, GRE, IPIP, IPV6, Taken
from nfmasq.machine.own_followed import OwnFollowed

pytestmark = pytest.mark.root

MOST = 256
FAR = IPv4Address(SERVER)


def taken(path: Path, most: int = MOST) -> tuple[Taken, ...]:
    """What the router of this path takes."""
    followed: OwnFollowed = path.router.call(OwnFollowed)
    try:
        found: tuple[Taken, ...] = path.router.call(followed.taken, most)
        return found
    finally:
        followed.close()


def raw(path: Path, protocol: int) -> socket.socket:
    """A raw socket of the router."""
    opened: socket.socket = path.router.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, protocol)
    return opened


def test_a_plain_router_takes_nothing(path: Path) -> None:
    with raw(path, socket.IPPROTO_ICMP), raw(path, socket.IPPROTO_RAW), raw(path, socket.IPPROTO_UDP):
        assert taken(path) == ()


def test_a_raw_socket_takes_its_protocol_and_a_connected_one_its_peers(path: Path) -> None:
    with raw(path, GRE) as tunnel, raw(path, 89):
        tunnel.connect((SERVER, 0))
        assert taken(path) == (Taken(GRE, FAR), Taken(89, None))
    assert taken(path) == ()


@pytest.mark.parametrize(
    ("kind", "protocols"),
    [
        ("gre", (GRE,)),
        ("gretap", (GRE,)),
        ("ipip", (IPIP, IPV6)),
        ("sit", (IPIP, IPV6)),
        ("vti", (IPIP, ESP)),
    ],
)
def test_a_tunnel_takes_what_it_is_carried_by(path: Path, kind: str, protocols: tuple[int, ...]) -> None:
    key = "key 5" if kind == "vti" else ""
    try:
        path.router.ip(f"link add t0 type {kind} local {EXTERNAL} remote {SERVER} {key}", "link set t0 up")
    except RuntimeError as error:
        pytest.skip(f"this kernel has no {kind}: {error}")
    ours = [each for each in taken(path) if each.remote is not None]
    assert ours == [Taken(protocol, FAR) for protocol in sorted(protocols)]


def test_a_tunnel_that_is_down_takes_nothing(path: Path) -> None:
    """The kernel makes a tunnel without a remote end for each kind (gre0), which stays down."""
    try:
        path.router.ip(f"link add t0 type gre local {EXTERNAL} remote {SERVER}")
    except RuntimeError as error:
        pytest.skip(f"this kernel has no gre: {error}")
    assert taken(path) == ()


def test_a_tunnel_without_a_remote_end_takes_its_protocol_from_anywhere(path: Path) -> None:
    try:
        path.router.ip(
            f"link add t0 type gre local {EXTERNAL}",
            f"link add t1 type gre remote {SERVER} key 1",
            "link set t0 up",
            "link set t1 up",
        )
    except RuntimeError as error:
        pytest.skip(f"this kernel has no gre: {error}")
    assert taken(path) == (Taken(GRE, None),)


def test_an_ipsec_state_takes_what_comes_from_its_other_end(path: Path) -> None:
    state = f"src {SERVER} dst {EXTERNAL} proto esp spi 0x77 mode tunnel"
    keys = f"enc cbc(aes) 0x{1:032x} auth hmac(sha1) 0x{1:040x}"
    try:
        path.router.run("ip", "xfrm", "state", "add", *state.split(), *keys.split())
    except RuntimeError as error:
        pytest.skip(f"this kernel has no IPsec: {error}")
    assert Taken(ESP, FAR) in taken(path)


def test_more_than_there_is_room_for_are_whole_protocols(path: Path) -> None:
    with raw(path, GRE) as one, raw(path, GRE) as other, raw(path, IPIP) as third:
        one.connect((SERVER, 0))
        other.connect((CLIENT, 0))
        third.connect((SERVER, 0))
        assert len(taken(path, 3)) == 3
        assert taken(path, 2) == (Taken(IPIP, None), Taken(GRE, None))

"""The surroundings on a router of their own, followed by the kernel's events."""

import select
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from support.supervisors import configured

from nfmasq.daemon.surroundings import FollowedSurroundings
from nfmasq.lab.namespace import Namespace

CONFIG = configured()
ROUTES = 100_000


@pytest.fixture
def followed(router: Namespace) -> Iterator[FollowedSurroundings]:
    """After the first look."""
    made = FollowedSurroundings(CONFIG)
    assert [each.state for each in made.uplinks] == ["away"]
    assert router.call(made.follow, CONFIG)
    yield made
    made.close()


def test_a_change_rings_and_is_followed(router: Namespace, followed: FollowedSurroundings) -> None:
    assert not router.call(followed.follow, CONFIG)
    router.ip("route add 10.9.0.0/16 via 192.168.1.2")
    assert select.select([followed.doorbell], [], [], 5)[0]
    assert router.call(followed.follow, CONFIG)
    assert IPv4Network("10.9.0.0/16") in followed.now.internal


def test_a_change_that_touches_nothing_leaves_the_surroundings(
    router: Namespace, followed: FollowedSurroundings
) -> None:
    before = followed.now
    router.ip("route add 198.51.100.0/24 via 203.0.113.1", "link add other0 type bridge")
    assert not router.call(followed.follow, CONFIG)
    assert followed.now is before


def test_the_state_of_an_uplink_is_followed(router: Namespace) -> None:
    router.ip("link add wwan0 type veth peer name far0", "link set far0 up")
    config = configured(external="wwan0")
    made = FollowedSurroundings(config)
    states = []
    for change in (
        "link set lo up", "link set wwan0 up", "address add 100.99.0.2/24 dev wwan0",
        "link set wwan0 down", "link del wwan0",
    ):  # fmt: skip
        router.ip(change)
        router.call(made.follow, config)
        states += [each.state for each in made.uplinks]
    assert states == ["down", "no address", "ok", "down", "away"]
    made.close()


def test_after_a_failure_everything_is_read_again(
    router: Namespace, followed: FollowedSurroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = followed._mirror
    assert mirror is not None

    def failing() -> None:
        raise OSError("no buffer space")

    monkeypatch.setattr(mirror, "follow", failing)
    with pytest.raises(OSError, match="no buffer space"):
        router.call(followed.follow, CONFIG)
    assert followed.doorbell == -1
    router.ip("address add 203.0.113.7/32 dev wan0")
    assert router.call(followed.follow, CONFIG)
    assert IPv4Address("203.0.113.7") in followed.now.outsides[0].addresses


def test_beside_a_full_table_of_the_internet_a_change_takes_milliseconds(
    router: Namespace, followed: FollowedSurroundings, tmp_path: Path
) -> None:
    batch = tmp_path / "routes"
    with batch.open("w", encoding="ascii") as file:
        for n in range(0, 2 * ROUTES, 2):
            network = f"{20 + n // 65536}.{n // 256 % 256}.{n % 256}.0/24"
            file.write(f"route add {network} via 203.0.113.1 dev wan0\n")
    router.run("ip", "-batch", str(batch))
    for _ in range(ROUTES):
        router.call(followed.follow, CONFIG)
        if not select.select([followed.doorbell], [], [], 0.3)[0]:
            break

    def seconds(change: str) -> float:
        router.ip(change)
        began = time.perf_counter()
        router.call(followed.follow, CONFIG)
        return time.perf_counter() - began

    assert min(seconds(f"route {way} 11.99.99.0/24 via 203.0.113.1") for way in ("add", "del") * 3) < 0.01
    assert min(seconds(f"address {way} 10.1.2.3/24 dev wan0") for way in ("add", "del") * 3) < 0.05

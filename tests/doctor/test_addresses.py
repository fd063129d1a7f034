"""The external addresses, and addresses inside and outside at once."""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


def test_a_network_on_both_sides_is_warned_of(router: Path, state: FilePath) -> None:
    assert answers_of(router, config_of(state))["inside and outside"].status == "ok"
    router.router.ip("route add 192.168.0.0/16 via 203.0.113.9")
    check = answers_of(router, config_of(state))["inside and outside"]
    assert (check.status, "192.168.1.0/24 is behind lan0 and on the side of wan0" in check.why) == (
        "warn",
        True,
    )
    assert "renumber one side, or take away the route to 192.168.0.0/16 by wan0" in check.mend


def test_half_a_default_route_is_no_network_of_the_outside(router: Path, state: FilePath) -> None:
    router.router.ip("route add 128.0.0.0/1 via 203.0.113.9", "route add 0.0.0.0/1 via 203.0.113.9")
    assert answers_of(router, config_of(state))["inside and outside"].status == "ok"


def test_a_pool_inside_an_internal_network_is_warned_of(router: Path, state: FilePath) -> None:
    check = answers_of(router, config_of(state, nat={"addresses": ["192.168.1.77"]}))["inside and outside"]
    assert (check.status, "192.168.1.77 lies in 192.168.1.0/24" in check.why) == ("warn", True)
    assert "give nat.addresses another address" in check.mend


@pytest.mark.parametrize("remedy", ["the remedy", "address add 203.0.113.77/32 dev wan0"])
def test_a_pool_address_that_no_host_answers_for_is_warned(
    router: Path, state: FilePath, remedy: str
) -> None:
    config = config_of(state, nat={"addresses": ["203.0.113.77"]})
    check = answers_of(router, config)["external address"]
    assert (check.status, check.mend) == ("warn", "ip route add local 203.0.113.77/32 dev lo")
    assert not _answered(router, "203.0.113.77")
    router.router.ip((check.mend if remedy == "the remedy" else "ip " + remedy).removeprefix("ip "))
    assert _answered(router, "203.0.113.77")
    assert answers_of(router, config)["external address"].status == "ok"


def test_a_pool_in_pieces_has_a_remedy_for_each_piece(router: Path, state: FilePath) -> None:
    config = config_of(state, nat={"addresses": ["203.0.113.96/30", "198.51.100.7", "203.0.113.5"]})
    check = answers_of(router, config)["external address"]
    assert "203.0.113.96 and 4 more" in check.why
    for command in check.mend.split("; "):
        router.router.ip(command.removeprefix("ip "))
    assert answers_of(router, config)["external address"].status == "ok"
    assert _answered(router, "203.0.113.99")


def test_a_pool_that_is_routed_here_is_good(router: Path, state: FilePath) -> None:
    config = config_of(state, nat={"addresses": ["198.51.100.16/30"]})
    check = answers_of(router, config)["external address"]
    assert (check.status, check.why) == ("ok", "198.51.100.16 and 3 more")


def test_no_external_address_fails(router: Path, state: FilePath) -> None:
    router.router.ip("address flush dev wan0")
    assert answers_of(router, config_of(state))["external address"].status == "fail"


def _answered(path: Path, address: str) -> bool:
    """Does anybody answer ARP for this address on the outside?"""
    path.server.ip("neighbour flush dev s0")
    return " 1 received" in path.server.run("ping", "-c", "1", "-W", "1", address, check=False)

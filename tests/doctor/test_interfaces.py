"""The interfaces that the configuration names, their networks and their routes."""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


def test_a_missing_interface_fails_and_those_there_are_are_named(router: Path, state: FilePath) -> None:
    check = answers_of(router, config_of(state, nat={"external": "ppp0"}))["interfaces"]
    assert (check.status, check.why) == ("fail", "ppp0 does not exist")
    assert "lan0, lo, wan0" in check.mend


def test_an_interface_that_is_down_is_warned_of(router: Path, state: FilePath) -> None:
    router.router.ip("link set lan0 down")
    check = answers_of(router, config_of(state))["interfaces"]
    assert (check.status, check.mend.partition(",")[0]) == ("warn", "ip link set lan0 up")


def test_a_port_of_a_bridge_fails_and_the_bridge_is_named(router: Path, state: FilePath) -> None:
    router.router.ip("link add br0 type bridge", "link set br0 up", "link set lan0 master br0")
    check = answers_of(router, config_of(state))["interfaces"]
    assert (check.status, check.mend) == ("fail", "name br0 in place of lan0 in the configuration")


def test_no_internal_network_fails(router: Path, state: FilePath) -> None:
    router.router.ip("address flush dev lan0")
    assert answers_of(router, config_of(state))["internal networks"].status == "fail"


def test_no_default_route_is_warned_of_and_strict_reverse_path_filtering_told(
    router: Path, state: FilePath
) -> None:
    router.router.ip("route del default")
    check = answers_of(router, config_of(state))["default route"]
    assert (check.status, "rp_filter" in check.why) == ("warn", False)
    router.router.sysctl("ipv4/conf/wan0/rp_filter", 1)
    assert "rp_filter" in answers_of(router, config_of(state))["default route"].why

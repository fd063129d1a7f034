"""What is taken, with a warning."""

from typing import Any

import pytest

from nfmasq.config import parse
from nfmasq.config.warnings import MINIMUMS

from .documents import document


def warnings(**tables: Any) -> list[str]:
    return parse(document(**tables)).warnings


@pytest.mark.parametrize(
    ("key", "least", "source"),
    [
        ("udp", 120, "RFC 4787 REQ-5"),
        ("tcp_established", 7440, "RFC 5382 REQ-5"),
        ("tcp_transitory", 240, "RFC 5382 REQ-5"),
        ("icmp", 60, "RFC 5508 REQ-2"),
    ],
)
def test_a_timeout_below_an_rfcs_minimum_is_taken_with_a_warning(key: str, least: int, source: str) -> None:
    assert warnings(timeouts={key: least}) == []
    below = parse(document(timeouts={key: least - 1}))
    assert getattr(below.timeouts, key) == least - 1
    assert below.warnings == [
        f"timeouts.{key}: {least - 1} s is taken, but {source} asks for {least} s at least"
    ]


def test_no_default_is_below_an_rfcs_minimum() -> None:
    timeouts = parse(document()).timeouts
    assert all(getattr(timeouts, minimum.key) >= minimum.seconds for minimum in MINIMUMS)


FORWARD = {"protocol": "tcp", "external_port": "8080", "to": "192.168.1.10:80"}


@pytest.mark.parametrize(
    ("tables", "keys"),
    [
        ({"nat": {"mapping": "address-dependent"}}, ["nat.mapping"]),
        ({"nat": {"udp": {"mapping": "address-and-port-dependent"}}}, ["nat.udp.mapping"]),
        ({"nat": {"tcp": {"mapping": "address-dependent"}}}, ["nat.tcp.mapping"]),
        ({"nat": {"hairpinning": True}}, ["nat.hairpinning"]),
        ({"network": [{"cidr": "192.168.2.0/24"}]}, ["network"]),
        ({"forward": [FORWARD]}, ["forward"]),
        ({"helpers": {"ftp": True, "irc": {"enabled": True}, "sip": False}}, ["helpers.ftp", "helpers.irc"]),
        ({"timeouts": {"expectation": "90s"}}, ["timeouts.expectation"]),
    ],
)
def test_what_is_not_built_yet_is_taken_and_said(tables: dict[str, Any], keys: list[str]) -> None:
    told = warnings(**tables)
    assert [warning.split(":")[0] for warning in told] == keys
    assert all("not built yet" in warning for warning in told)


def test_another_mapping_is_said_to_be_endpoint_independent_for_now() -> None:
    told = warnings(nat={"mapping": "address-dependent"})
    assert told == ["nat.mapping: not built yet; endpoint-independent is used"]


@pytest.mark.parametrize(
    "tables",
    [
        {"nat": {"mapping": "endpoint-independent", "tcp": {"mapping": "endpoint-independent"}}},
        {"nat": {"filtering": "endpoint-independent", "udp": {"filtering": "address-and-port-dependent"}}},
        {"nat": {"hairpinning": False}, "helpers": {"ftp": False}, "forward": [], "network": []},
    ],
)
def test_what_is_built_or_switched_off_is_not_warned_of(tables: dict[str, Any]) -> None:
    assert warnings(**tables) == []

"""What is taken, with a warning."""

from typing import Any

import pytest

from config.documents import document
from nfmasq.config import parse, warnings_of
from nfmasq.config.warnings import MINIMUMS


def warnings(**tables: Any) -> list[str]:
    return warnings_of(parse(document(**tables)))


@pytest.mark.parametrize(
    ("key", "least", "source"),
    [
        ("udp", 120, "RFC 4787 REQ-5"),
        ("tcp_established", 7440, "RFC 5382 REQ-5"),
        ("tcp_transitory", 240, "RFC 5382 REQ-5"),
        ("tcp_closing", 240, "RFC 5382 REQ-5"),
        ("icmp", 60, "RFC 5508 REQ-2"),
    ],
)
def test_a_timeout_below_an_rfcs_minimum_is_taken_with_a_warning(key: str, least: int, source: str) -> None:
    assert warnings(timeouts={key: least}) == []
    below = parse(document(timeouts={key: least - 1}))
    assert getattr(below.timeouts, key) == least - 1
    assert warnings_of(below) == [
        f"timeouts.{key}: {least - 1} s is taken, but {source} asks for {least} s at least"
    ]


def test_no_default_is_below_an_rfcs_minimum() -> None:
    timeouts = parse(document()).timeouts
    defaults = {minimum: getattr(timeouts, minimum.key) for minimum in MINIMUMS}
    assert all(seconds is None or seconds >= minimum.seconds for minimum, seconds in defaults.items())


def test_opening_may_be_shorter_than_closing() -> None:
    """RFC 7857 section 2.1."""
    assert warnings(timeouts={"tcp_opening": 10}) == []
    assert warnings(timeouts={"tcp_transitory": 10, "tcp_closing": 240}) == []
    assert len(warnings(timeouts={"tcp_transitory": 10, "tcp_opening": 240})) == 1


FORWARD = {"protocol": "tcp", "external_port": "8080", "to": "192.168.1.10:80"}


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (
            {"nat": {"mapping": "address-dependent"}},
            "nat.mapping: address-dependent is taken, but "
            "RFC 4787 REQ-1 and RFC 5382 REQ-1 ask for endpoint-independent",
        ),
        (
            {"nat": {"udp": {"mapping": "address-and-port-dependent"}}},
            "nat.udp.mapping: address-and-port-dependent is taken, but "
            "RFC 4787 REQ-1 asks for endpoint-independent",
        ),
        (
            {"nat": {"tcp": {"mapping": "address-dependent"}}},
            "nat.tcp.mapping: address-dependent is taken, but RFC 5382 REQ-1 asks for endpoint-independent",
        ),
        (
            {"network": [{"cidr": "10.0.0.0/8"}, {"cidr": "10.1.0.0/16", "mapping": "address-dependent"}]},
            "network[1].mapping: address-dependent is taken, but "
            "RFC 4787 REQ-1 and RFC 5382 REQ-1 ask for endpoint-independent",
        ),
        (
            {"nat": {"hairpinning": False}},
            "nat.hairpinning: false is taken, but RFC 4787 REQ-9 and RFC 5382 REQ-8 ask for it",
        ),
    ],
)
def test_what_departs_from_an_rfcs_must_is_taken_with_a_warning(tables: dict[str, Any], told: str) -> None:
    assert warnings(**tables) == [told]


def test_forwards_that_leave_no_port_to_hand_out_are_told() -> None:
    def forward(protocol: str, ports: str) -> dict[str, str]:
        return {"protocol": protocol, "external_port": ports, "to": "192.168.1.10"}

    nat = {"ports": "2000-2999"}
    halves = [forward("tcp", "1-2499"), forward("tcp+udp", "2500-3000")]
    (told,) = warnings(nat=nat, forward=halves)
    assert told == "forward: all of nat.ports are forwarded for tcp; no other session gets one"
    assert warnings(nat=nat, forward=[forward("tcp", "2000-2998")]) == []


@pytest.mark.parametrize("count", [2, "auto"])
def test_the_older_name_of_workers_is_taken_with_a_warning(count: int | str) -> None:
    assert warnings(engine={"queues": count}) == ["engine.queues counts workers: name it engine.workers"]
    assert warnings(engine={"workers": count}) == []


@pytest.mark.parametrize(
    "tables",
    [
        {"nat": {"mapping": "endpoint-independent", "tcp": {"mapping": "endpoint-independent"}}},
        {"nat": {"filtering": "endpoint-independent", "udp": {"filtering": "address-and-port-dependent"}}},
        {"nat": {"hairpinning": True}, "network": [{"cidr": "192.168.2.0/24"}], "forward": [FORWARD]},
        {"helpers": {"ftp": False, "irc": True}, "timeouts": {"expectation": "90s"}},
    ],
)
def test_what_no_rfc_speaks_against_is_not_warned_of(tables: dict[str, Any]) -> None:
    assert warnings(**tables) == []


@pytest.mark.parametrize(
    "tables",
    [
        {"helpers": {"snmp": True}},
        {"network": [{"cidr": "192.168.2.0/24", "helpers": {"snmp": True}}]},
    ],
)
def test_an_enabled_helper_may_warn_of_itself(tables: dict[str, Any]) -> None:
    (warning,) = warnings(**tables)
    assert warning.startswith("helpers.snmp: values are rewritten, object identifiers are not")


def test_a_disabled_helper_warns_of_nothing() -> None:
    assert warnings(helpers={"snmp": False}) == []

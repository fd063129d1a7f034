"""Forwards against ports of the router's own."""

import socket
from pathlib import Path as FilePath
from typing import Any

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of
from nfmasq.config import Config, Forward

pytestmark = pytest.mark.root

LEADING = "-t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to 172.17.0.2"


def _forwarding(state: FilePath, **keys: Any) -> Config:
    forward = Forward.model_validate({"to": "192.168.1.2", **keys})
    return config_of(state).model_copy(update={"forward": [forward]})


def test_forwards_apart_from_the_routers_own_ports_are_good(router: Path, state: FilePath) -> None:
    check = answers_of(router, _forwarding(state, protocol="tcp", external_port="80-89"))["forwards"]
    assert (check.status, check.why) == ("ok", "1 configured, on no port of the router's own")


def test_a_forward_of_ports_the_router_calls_from_is_warned_of(router: Path, state: FilePath) -> None:
    router.router.sysctl("ipv4/ip_local_reserved_ports", "40000-40009")
    config = _forwarding(state, protocol="tcp", external_port="40005-40015")
    check = answers_of(router, config)["forwards"]
    assert check.status == "warn"
    assert "ip_local_reserved_ports=40005-40015" in check.mend
    router.router.run(*check.mend.partition(",")[0].split())
    assert answers_of(router, config)["forwards"].status == "ok"


@pytest.mark.parametrize(("protocol", "status"), [("tcp", "warn"), ("any", "warn"), ("udp", "ok")])
def test_a_forward_that_hides_a_socket_of_the_routers_is_warned_of(
    router: Path, state: FilePath, protocol: str, status: str
) -> None:
    with router.router.call(socket.create_server, ("0.0.0.0", 80)):
        check = answers_of(router, _forwarding(state, external_port="79-81", protocol=protocol))["forwards"]
    assert (check.status, "tcp 80" in check.why) == (status, status == "warn")


def test_a_default_host_hides_nothing(router: Path, state: FilePath) -> None:
    with router.router.call(socket.create_server, ("0.0.0.0", 80)):
        assert answers_of(router, _forwarding(state))["forwards"].status == "ok"


NONE_THERE = "there is none"
AFTER = "it comes after DNAT rules of others"
BEFORE = "the default host comes before DNAT rules of others, as engine.diversion is none"
NO_OTHERS = "there are no DNAT rules of others, which would come after it"
OWN_ADDRESS = {"external_address": "203.0.113.9"}


@pytest.mark.parametrize(
    ("rule", "keys", "told"),
    [
        (LEADING, {}, (AFTER, BEFORE)),
        (LEADING, {"protocol": "sctp"}, (AFTER, BEFORE)),
        (LEADING, {"protocol": "udp"}, (AFTER, BEFORE)),
        (LEADING, {"protocol": "tcp", "external_port": "80"}, (NONE_THERE, NONE_THERE)),
        (LEADING, OWN_ADDRESS, (NONE_THERE, NONE_THERE)),
        (LEADING, {**OWN_ADDRESS, "protocol": "tcp"}, (NONE_THERE, NONE_THERE)),
        (LEADING, {"protocol": "icmp"}, (NONE_THERE, NONE_THERE)),
        ("-A FORWARD -j ACCEPT", {}, (AFTER, NO_OTHERS)),
    ],
    ids=[
        "preceded", "of one protocol", "of UDP alone", "a port alone", "an address given away",
        "an address's TCP", "pings alone", "no DNAT",
    ],
)  # fmt: skip
def test_a_default_host_that_precedes_the_dnat_of_others_is_warned_of(
    router: Path, state: FilePath, rule: str, keys: dict[str, Any], told: tuple[str, str]
) -> None:
    """told: with rules of nfmasq, and with engine.diversion = "none"."""
    router.iptables(rule)
    config = _forwarding(state, **keys)
    for diversion, why in zip(("auto", "none"), told, strict=True):
        engine = config.engine.model_copy(update={"diversion": diversion})
        check = answers_of(router, config.model_copy(update={"engine": engine}))["default host"]
        assert (check.status, check.why) == ("warn" if why == BEFORE else "ok", why)

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


@pytest.mark.parametrize(
    ("rule", "keys", "status"),
    [
        (LEADING, {}, "warn"),
        (LEADING, {"protocol": "sctp"}, "warn"),
        (LEADING, {"protocol": "tcp", "external_port": "80"}, "ok"),
        ("-A FORWARD -j ACCEPT", {}, "ok"),
    ],
    ids=["preceded", "of one protocol", "a port alone", "no DNAT"],
)
def test_a_default_host_that_precedes_the_dnat_of_others_is_warned_of(
    router: Path, state: FilePath, rule: str, keys: dict[str, Any], status: str
) -> None:
    router.iptables(rule)
    config = _forwarding(state, **keys)
    assert answers_of(router, config)["default host"].status == "ok"
    config = config.model_copy(update={"engine": config.engine.model_copy(update={"diversion": "none"})})
    assert answers_of(router, config)["default host"].status == status

"""Host names: those no attacker can own are taken, and those of metrics.hosts."""

import socket

import pytest

from nfmasq.web.hosts import Hosts

ALWAYS = (
    "", "localhost", "LOCALHOST:9853", "127.0.0.1:9853", "203.0.113.2", "[::1]:9853", "[2001:db8::1]",
    "router", "router.:9853", "router.local", "router.lan:9853", "router.home.arpa", "a.internal",
)  # fmt: skip
NEVER = (
    "rebind.example", "127.0.0.1.example", "1.2.3", "local.example", "xlocal.com", "a b",
    "u@localhost.example", "[evil.example]", "router.lan:", "router.lan:9853:1",
    "localhost/evil.example", "ro\u00fcter.lan",
)  # fmt: skip


@pytest.mark.parametrize("header", ALWAYS)
def test_a_name_no_attacker_can_own_is_taken(header: str) -> None:
    assert Hosts().take(header)


@pytest.mark.parametrize("header", NEVER)
def test_another_name_is_not(header: str) -> None:
    assert not Hosts().take(header)


def test_names_of_the_configuration_and_of_the_machine_are_taken() -> None:
    hosts = Hosts(["Router.Example.net"])
    assert hosts.take("router.example.net:9853")
    assert not hosts.take("other.example.net")
    assert hosts.take(socket.gethostname())

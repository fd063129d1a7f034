"""How addresses, ports and interfaces are written."""

import itertools
import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import unhurried
from nfmasq.config.addresses import (
    PortRange,
    Target,
    covered,
    host_address,
    interface,
    listen,
    low_port_ranges,
    network,
    pool,
    port_range,
    port_ranges,
    target,
)

HOST = "192.168.1.10"
EXTERNAL = "198.51.100.7"


@unhurried
@given(st.integers(1, 65535), st.integers(1, 65535))
def test_ports_come_out_as_written_when_in_order(one: int, other: int) -> None:
    first, last = sorted((one, other))
    assert port_range(f"{first}-{last}") == PortRange(first, last)
    assert port_range(str(PortRange(first, last))) == PortRange(first, last)
    if first != last:
        with pytest.raises(ValueError, match=f'runs backwards; did you mean "{first}-{last}"'):
            port_range(f"{last}-{first}")


@unhurried
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6))
def test_what_ranges_cover_is_each_port_once(spans: list[tuple[int, int]]) -> None:
    parts = list(covered(spans, [PortRange(5, 12), PortRange(13, 25)]))
    ports = [port for part in parts for port in range(part.first, part.last + 1)]
    assert ports == [port for port in range(5, 26) if any(first <= port <= last for first, last in spans)]


@pytest.mark.parametrize("wrong", ["0", "0-5", "1-65536", "65536", 0, 65536, -1, "999999999"])
def test_ports_are_1_to_65535(wrong: Any) -> None:
    with pytest.raises(ValueError, match="ports are 1 to 65535"):
        port_range(wrong)


@pytest.mark.parametrize(
    "wrong", ["", "-", "80-", "-80", "80-90-100", "80:90", "http", "80,81", "9999999999"]
)
def test_ports_of_another_form_show_the_right_one(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a port or a range"):
        port_range(wrong)


def test_several_ranges_come_out_ascending_and_in_the_fewest() -> None:
    """Fifteen ranges of sixteen ports, as MAP-E gives them (RFC 7597)."""
    ranges = [(4096 * number + 0x120, 4096 * number + 0x12F) for number in range(1, 16)]
    assert port_ranges(",".join(f"{first}-{last}" for first, last in reversed(ranges))) == tuple(ranges)
    assert port_ranges("3000-4000, 1024-2999, 5000") == ((1024, 4000), (5000, 5000))
    assert port_ranges(8080) == ((8080, 8080),)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("1024-2000, 1500-3000", '"1024-2000" and "1500-3000" overlap; write each port once'),
        ("1024-2000,", '"" is not a port or a range'),
        ("", '"" is no port; write at least one range'),
        ("1024-2000; 3000", "is not a port or a range"),
        (",".join(str(2 * number + 1) for number in range(257)), "257 ranges; at most 256"),
    ],
)
def test_ranges_that_cannot_be_meant_are_refused(wrong: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        port_ranges(wrong)


def test_low_ports_are_below_1024_and_may_be_none() -> None:
    assert low_port_ranges("") == ()
    assert low_port_ranges("600-1023, 500") == ((500, 500), (600, 1023))
    with pytest.raises(ValueError, match='"600-1024": low ports are 1 to 1023'):
        low_port_ranges("600-1024")


@pytest.mark.parametrize("name", ["lan0", "eth0.100", "br-lan", "wg_home", "a" * 15])
def test_an_interface_name_is_taken_as_it_is(name: str) -> None:
    assert interface(name) == name


def test_an_interface_name_has_at_most_15_characters() -> None:
    with pytest.raises(ValueError, match="is 16 characters long; an interface name has at most 15"):
        interface("a" * 16)


@pytest.mark.parametrize(
    "wrong", ["", ".", "..", "a/b", "a b", "eth0:1", "ppp+", "-x", 'a"b', "eth0\n", "ét"]
)
def test_an_interface_name_that_rules_could_misread_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not an interface name"):
        interface(wrong)


def test_an_interface_name_copied_with_its_parent_is_cut_back() -> None:
    with pytest.raises(ValueError, match=r'write "eth0\.10"$'):
        interface("eth0.10@eth0")


@unhurried
@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_a_network_with_a_host_address_names_the_network(address: IPv4Address, length: int) -> None:
    right = IPv4Network(f"{address}/{length}", strict=False)
    assert network(str(right)) == right
    if right.network_address != address:
        with pytest.raises(ValueError, match=f'did you mean "{right}"'):
            network(f"{address}/{length}")


@pytest.mark.parametrize(
    ("parse", "wrong"),
    [
        *itertools.product([network, pool, target, listen], ["2001:db8::1", "2001:db8::/32", "::1"]),
        *itertools.product([target, listen], ["[2001:db8::1]:80", "[::]:80"]),
    ],
)
def test_ipv6_is_told_by_name(parse: Any, wrong: str) -> None:
    with pytest.raises(ValueError, match="is IPv6; IPv4 only"):
        parse(wrong)


@pytest.mark.parametrize("wrong", ["", "1.2.3", "1.2.3.256", "1.2.3.4/33", "lan0", "1.2.3.4-1.2.3.9"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not an IPv4 address or a network"):
        network(wrong)


@pytest.mark.parametrize("wrong", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0/0"])
def test_a_pool_has_only_addresses_a_host_can_have(wrong: str) -> None:
    assert pool(EXTERNAL) == IPv4Network(EXTERNAL)
    with pytest.raises(ValueError, match="no host can have"):
        pool(wrong)


def test_a_target_is_an_address_and_its_ports() -> None:
    assert target(f"{HOST}:80") == Target(IPv4Address(HOST), PortRange(80, 80))
    assert target(f"{HOST}:80-89") == Target(IPv4Address(HOST), PortRange(80, 89))
    assert target(HOST) == Target(IPv4Address(HOST), None)
    assert [str(target(written)) for written in (HOST, f"{HOST}:80-89")] == [HOST, f"{HOST}:80-89"]


def test_one_address_is_not_a_network_nor_one_no_host_can_have() -> None:
    assert host_address(EXTERNAL) == IPv4Address(EXTERNAL)
    with pytest.raises(ValueError, match="is a network; write one address"):
        host_address("198.51.100.0/30")
    with pytest.raises(ValueError, match="no host can have this address"):
        host_address("127.0.0.1")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (f"{HOST}:", "is not a port"),
        (f"{HOST}:0", "ports are 1 to 65535"),
        ("host:80", "is not an IPv4 address and port"),
        (":80", "is not an IPv4 address and port"),
        ("127.0.0.1:80", "no internal host can have this address"),
        (80, "must be a string, not 80"),
    ],
)
def test_a_wrong_target_says_what_it_lacks(wrong: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        target(wrong)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "router.example.net"])
def test_a_listen_address_is_host_and_port(host: str) -> None:
    assert listen(f"{host}:9853") == (host, 9853)
    assert listen("") is None


@pytest.mark.parametrize(
    "wrong",
    [
        "9853",
        ":9853",
        "localhost",
        "localhost:",
        "localhost:x",
        "localhost:80-81",
        "1.2.3.256:80",
        "a b:80",
        "*:80",
    ],
)
def test_a_listen_address_that_is_not_host_port_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not host:port"):
        listen(wrong)

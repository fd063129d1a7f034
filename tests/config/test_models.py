"""Each key of the file, what it takes and what it becomes."""

import os
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.documents import document, reason, reasons
from nfmasq.config import HelperConfig, PortRange, Target, parse, warnings_of


def test_two_keys_are_enough_and_all_others_have_their_defaults() -> None:
    config = parse(document())

    assert (config.nat.internal, config.nat.external) == (["lan0"], ["wan0"])
    assert (config.nat.addresses, config.nat.ports) == ([], (PortRange(1024, 32767),))
    assert config.nat.low_ports == (PortRange(600, 1023),)
    assert (config.nat.mark, config.nat.unguarded) == (0x80000000, [])
    assert config.nat.exempt == []
    assert (config.nat.mapping, config.nat.filtering) == ("endpoint-independent", "address-dependent")
    assert (config.nat.hairpinning, config.nat.udp, config.nat.tcp) == (True, None, None)
    assert (config.nat.mss, config.nat.refusals, config.nat.share_ports) == (None, True, True)
    assert dict(config.limits) == {
        "sessions": 1_000_000,
        "half_open": 0,
        "new_per_second": 0,
        "sessions_per_host": 0,
        "ports_per_host": 0,
        "half_open_per_host": 0,
        "new_per_second_per_host": 0,
    }
    assert dict(config.timeouts) == {
        "udp": 300,
        "udp_dns": 20,
        "tcp_established": 7440,
        "tcp_transitory": 240,
        "tcp_opening": None,
        "tcp_closing": None,
        "icmp": 60,
        "expectation": 60,
    }
    assert config.helpers == {}
    assert (config.forward, config.network) == ([], [])
    assert config.metrics.listen == ("127.0.0.1", 9853)
    assert config.control.socket == Path("/run/nfmasq/control.sock")
    assert (config.engine.first_queue, config.engine.state) == (100, Path("/run/nfmasq/state"))
    assert config.engine.forwards == Path("/var/lib/nfmasq/forwards.json")
    assert config.engine.saved == Path("/var/lib/nfmasq/sessions")
    assert (config.engine.diversion, config.engine.on_failure) == ("auto", "closed")
    assert warnings_of(config) == []


@pytest.mark.parametrize(
    ("engine", "saved"),
    [
        ({"state": "/run/other/table"}, "/run/other/table.saved"),
        ({"state": "/run/other/table", "saved": "/srv/sessions"}, "/srv/sessions"),
        ({"saved": "/srv/sessions"}, "/srv/sessions"),
    ],
)
def test_the_copy_of_another_state_file_lies_next_to_it_unless_it_is_named(
    engine: dict[str, str], saved: str
) -> None:
    """So two daemons of a machine do not share it."""
    assert parse(document(engine=engine)).engine.saved == Path(saved)


def test_without_nat_both_its_keys_are_asked_for() -> None:
    assert reasons({}) == {
        "nat.internal": 'is missing; for instance internal = ["lan0"]',
        "nat.external": 'is missing; for instance external = "wan0"',
    }


def test_a_config_cannot_be_changed() -> None:
    config = parse(document())
    with pytest.raises(ValidationError):
        config.nat.external = ["wan1"]


def test_a_protocol_and_a_network_may_behave_otherwise() -> None:
    config = parse(
        document(
            nat={"udp": {"filtering": "endpoint-independent"}, "tcp": {"mapping": "address-dependent"}},
            network=[{"cidr": "192.168.2.0/24", "filtering": "address-and-port-dependent"}],
        )
    )

    assert config.nat.udp
    assert config.nat.tcp
    assert (config.nat.udp.mapping, config.nat.udp.filtering) == (None, "endpoint-independent")
    assert (config.nat.tcp.mapping, config.nat.tcp.filtering) == ("address-dependent", None)
    assert config.network[0].cidr == IPv4Network("192.168.2.0/24")
    assert config.network[0].filtering == "address-and-port-dependent"


def test_a_pool_holds_addresses_and_networks() -> None:
    config = parse(document(nat={"addresses": ["198.51.100.7", "198.51.100.16/30"]}))
    assert config.nat.addresses == [IPv4Network("198.51.100.7/32"), IPv4Network("198.51.100.16/30")]


def test_a_helper_is_a_switch_or_a_table() -> None:
    config = parse(document(helpers={"irc": {"enabled": True, "ports": [6667]}, "ftp": False}))
    assert config.helpers == {
        "irc": HelperConfig(enabled=True, ports=[6667]),
        "ftp": HelperConfig(enabled=False),
    }


def test_a_forward_takes_a_port_or_a_range_and_a_target_or_several() -> None:
    config = parse(
        document(
            forward=[
                {"protocol": "tcp", "external_port": "8080", "to": "192.168.1.10:80"},
                {"protocol": "udp", "external_port": 53, "to": ["192.168.1.10:53", "192.168.1.11:5353"]},
                {"protocol": "tcp", "external_port": "1-9", "to": "192.168.1.10:8001-8009"},
            ]
        )
    )
    web, names, range_ = config.forward

    assert (web.protocol, web.external_port) == ("tcp", PortRange(8080, 8080))
    assert web.to == [Target(IPv4Address("192.168.1.10"), PortRange(80, 80))]
    assert [str(target.address) for target in names.to] == ["192.168.1.10", "192.168.1.11"]
    assert (range_.external_port, range_.to[0].ports) == (PortRange(1, 9), PortRange(8001, 8009))


def test_a_forward_may_lie_inside_or_outside_the_ports_handed_out() -> None:
    forwards = [
        {"protocol": "tcp", "external_port": "22", "to": "192.168.1.10:22"},
        {"protocol": "tcp", "external_port": "2000", "to": "192.168.1.10:22"},
        {"protocol": "tcp", "external_port": "65535", "to": "192.168.1.10:22"},
    ]
    assert len(parse(document(forward=forwards)).forward) == 3


def test_an_empty_listen_address_is_none() -> None:
    assert parse(document(metrics={"listen": ""})).metrics.listen is None
    assert parse(document(metrics={"listen": "0.0.0.0:80"})).metrics.listen == ("0.0.0.0", 80)


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 1), (3, 1), (4, 2), (1000, 64)])
def test_auto_workers_are_one_every_two_usable_processors(
    processors: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(processors))
    assert parse(document(engine={"workers": "auto"})).engine.workers == workers


@pytest.mark.parametrize("key", ["workers", "queues"])
def test_a_number_of_workers_is_taken_as_written_by_either_name(key: str) -> None:
    engine = parse(document(engine={key: 3})).engine
    assert (engine.workers, engine.chosen_workers) == (3, 3)


@pytest.mark.parametrize(
    "key",
    [
        "half_open",
        "new_per_second",
        "sessions_per_host",
        "ports_per_host",
        "half_open_per_host",
        "new_per_second_per_host",
    ],
)
def test_limits_of_a_host_may_be_zero_and_those_of_all_may_not(key: str) -> None:
    assert getattr(parse(document(limits={key: 0})).limits, key) == 0
    assert reason(document(limits={"sessions": 0}), "limits.sessions") == "must be 1 to 67108863, not 0"


def test_a_host_alone_where_a_list_belongs_is_told_so() -> None:
    assert (
        reason(document(nat={"internal": "lan0"}), "nat.internal")
        == 'must be a list in [ ], not the string "lan0"'
    )
    assert reason(document(nat={"internal": []}), "nat.internal").startswith(
        "must not be empty; for instance"
    )


@pytest.mark.parametrize(
    ("written", "meant"), [("auto", None), (0, 0), (88, 88), (1452, 1452), (65495, 65495)]
)
def test_the_segment_size_is_found_out_or_written_or_left_alone(written: object, meant: int | None) -> None:
    assert parse(document(nat={"mss": written})).nat.mss == meant


@pytest.mark.parametrize("wrong", [87, 65496, -1])
def test_a_segment_size_is_of_a_size_there_can_be(wrong: int) -> None:
    told = reason(document(nat={"mss": wrong}), "nat.mss")
    assert told == f"must be 0 for none, or 88 to 65495, not {wrong}"
    assert reason(document(nat={"mss": "1452"}), "nat.mss").startswith('must be "auto" or a number')


def test_a_failing_daemon_can_only_be_closed() -> None:
    assert (
        reason(document(engine={"on_failure": "open"}), "engine.on_failure") == 'must be "closed", not "open"'
    )

"""Whatever a document holds, it is a configuration or ConfigInvalid, with every error a line."""

from datetime import UTC, date, datetime, time
from ipaddress import IPv4Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.documents import document, unhurried
from nfmasq.config import (
    Config,
    ConfigError,
    ConfigInvalid,
    added_forward,
    forwards_of,
    parse,
    policy_of,
    warnings_of,
)
from nfmasq.config.explain import keys_at
from nfmasq.machine.interfaces import Uplink
from nfmasq.runtime.helpers import Switchboard

UPLINK = Uplink((IPv4Address("198.51.100.7"),), ())

TABLES: list[tuple[str | int, ...]] = [
    (),
    ("nat",),
    ("nat", "udp"),
    ("network", 0),
    ("limits",),
    ("timeouts",),
    ("helpers", "irc"),
    ("forward", 0),
    ("metrics",),
    ("control",),
    ("engine",),
]
KEYS = sorted({key for table in TABLES for key in keys_at(table)})
WORDS = [
    "lan0", "wan0", "auto", "closed", "none", "tcp", "endpoint-independent", "5m", "2h4m", "1024-32767",
    "9-1", "80", "198.51.100.7", "198.51.100.16/30", "10.0.0.0/8", "0.0.0.0/0", "::1", "192.168.1.10:80",
    "127.0.0.1:9853", "/run/nfmasq/state", "", "@", ":", "-",
]  # fmt: skip

names = st.one_of(st.sampled_from(KEYS), st.text(max_size=8))
leaves = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=20),
    st.integers(),
    st.integers(0, 70000),
    st.just(1 << 100),
    st.booleans(),
    st.floats(),
    st.sampled_from([date(2024, 1, 1), time(12), datetime(2024, 1, 1, tzinfo=UTC)]),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)


def shaped(place: tuple[str | int, ...]) -> st.SearchStrategy[Any]:
    """A table with the keys it may have, and any values."""
    return st.dictionaries(st.sampled_from(keys_at(place)), values, max_size=4)


documents = st.one_of(
    st.dictionaries(names, values, max_size=6),
    st.fixed_dictionaries(
        {},
        optional={
            "nat": shaped(("nat",)),
            "network": st.lists(shaped(("network", 0)), max_size=3),
            "limits": shaped(("limits",)),
            "timeouts": shaped(("timeouts",)),
            "helpers": st.dictionaries(
                st.one_of(st.sampled_from(["ftp", "irc"]), st.text(max_size=8)),
                st.one_of(leaves, shaped(("helpers", "irc"))),
                max_size=3,
            ),
            "forward": st.lists(shaped(("forward", 0)), max_size=3),
            "metrics": shaped(("metrics",)),
            "control": shaped(("control",)),
            "engine": shaped(("engine",)),
        },
    ),
)


def outcome(tried: dict[str, Any]) -> Config | list[ConfigError]:
    try:
        return parse(tried)
    except ConfigInvalid as invalid:
        return invalid.errors


@unhurried
@given(documents, st.booleans())
def test_any_document_is_a_configuration_or_invalid(tried: dict[str, Any], completed: bool) -> None:
    if completed and isinstance(tried.get("nat", {}), dict):
        tried = document(**tried)
    found = outcome(tried)
    if isinstance(found, Config):
        assert_usable(found)
    else:
        assert found
        assert all(error.key and error.reason and str(error).isprintable() for error in found)


def assert_usable(config: Config) -> None:
    assert all(warning.isprintable() for warning in warnings_of(config))
    assert sum(config.engine.diverted_to) <= 65535
    helped = Switchboard(config).ports(())
    policy = policy_of(
        config, UPLINK, frozenset(), frozenset(), forwards_of(config.forward), helper_ports=helped
    )
    assert policy.limits.sessions > 0
    for forward in config.forward:
        assert added_forward(forward.written()) == forward


@unhurried
@given(st.sampled_from(TABLES), values)
def test_any_value_of_any_key_is_taken_or_told_by_that_key(table: tuple[str | int, ...], value: Any) -> None:
    for key in keys_at(table):
        found = outcome(_placed(table, key, value))
        top = str(table[0]) if table else key
        assert isinstance(found, Config) or any(error.key.startswith(top) for error in found)


def _placed(table: tuple[str | int, ...], key: str, value: Any) -> dict[str, Any]:
    built: Any = {key: value}
    for part in reversed(table):
        built = [built] if isinstance(part, int) else {part: built}
    return document(**built) if isinstance(built.get("nat", {}), dict) else dict(built)

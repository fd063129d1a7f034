"""The file that is shipped says what the program does."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from config.documents import document
from nfmasq.config import Config, load, parse, warnings_of
from nfmasq.config.explain import keys_at
from nfmasq.helpers import protocols
from nfmasq.runtime.helpers import Switchboard

SHIPPED = Path(__file__).parents[2] / "deploy" / "nfmasq.toml"

REQUIRED = {"nat.internal", "nat.external"}
EXAMPLES = {
    "nat.addresses",
    "nat.except",
    "nat.unguarded",
    "metrics.hosts",
    "timeouts.tcp_opening",
    "timeouts.tcp_closing",
    *(f"nat.{protocol}.{key}" for protocol in ("udp", "tcp") for key in ("mapping", "filtering")),
    "network.cidr",
    "network.mapping",
    "network.filtering",
    "network.translate",
    "network.helpers",
    *(f"helpers.{name}" for name in protocols.NAMES if name != "ftp"),
    "forward.protocol",
    "forward.external_port",
    "forward.external_address",
    "forward.to",
}
"""Keys that have no default to show: the file has a value to start from."""


def uncommented() -> str:
    """The shipped file with every key and table enabled: a "#" right before one is taken away."""
    return re.sub(r"(?m)^#(?=\[|[a-z_]+ = )", "", SHIPPED.read_text(encoding="utf-8"))


def written() -> dict[str, Any]:
    """Every key of the shipped file, whole as `nat.ports`, and its value."""
    found: dict[str, Any] = {}

    def walk(table: dict[str, Any], above: str) -> None:
        for name, value in table.items():
            place = f"{above}{name}"
            is_list = isinstance(value, list) and isinstance(value[0], dict)
            if is_list or (isinstance(value, dict) and place != "network.helpers"):
                walk(value[0] if is_list else value, f"{place}.")
            else:
                found[place] = value

    document = tomllib.loads(uncommented())
    tables = [name for name, value in document["helpers"].items() if isinstance(value, dict)]
    found |= {f"helpers.{name}": document["helpers"].pop(name) for name in tables}
    walk(document, "")
    return found


def test_the_shipped_file_is_good_and_warns_of_nothing() -> None:
    config = load(SHIPPED)
    assert warnings_of(config) == []
    assert config == parse(document())


def test_the_shipped_file_is_good_with_everything_enabled() -> None:
    config = parse(tomllib.loads(uncommented()))
    assert config.network
    assert config.forward
    assert config.helpers["irc"].ports == [6667]


@pytest.mark.parametrize("key", sorted(written().keys() - REQUIRED - EXAMPLES))
def test_a_default_in_the_shipped_file_is_the_default(key: str) -> None:
    table, name = key.split(".")
    shown = parse(document(**{table: {name: written()[key]}}))
    assert meaning(shown, table, name) == meaning(parse(document()), table, name)


def meaning(config: Config, table: str, name: str) -> Any:
    if table == "helpers":
        return Switchboard(config).entries[name].switch
    return getattr(getattr(config, table), name)


def test_the_shipped_file_has_every_key() -> None:
    tables = (
        "nat",
        "nat.udp",
        "nat.tcp",
        "network",
        "limits",
        "timeouts",
        "forward",
        "metrics",
        "control",
        "engine",
    )
    known = {f"{table}.{key}" for table in tables for key in keys_at(table.split("."))} - {
        "nat.udp",
        "nat.tcp",
    }
    helpers = {key for key in written() if key.startswith("helpers.")}
    assert written().keys() == known | helpers
    assert {"helpers.ftp", "helpers.irc"} <= helpers <= {f"helpers.{name}" for name in protocols.NAMES}
    assert set(tables) | {"helpers"} == {*keys_at(()), "nat.udp", "nat.tcp"}


def test_the_shipped_file_says_something_about_every_key() -> None:
    """A comment stands above each key, or above the run of keys it belongs to."""
    comment_above = False
    for line in SHIPPED.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            comment_above = True
        elif not line or line.startswith("["):
            comment_above = False
        else:
            assert comment_above, line

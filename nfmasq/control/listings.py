"""The lists a daemon answers with, a row each.

A row makes the list's route, its command, its table on the page and its description in the API's document.
`nfmasq.control.<name>` reads the list: `read(running, asked)` returns a part of it, and the class `row` gives
the shape of a row. This module imports little, because every client command imports it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from nfmasq.control.columns import Column, Row, rounded, seconds
from nfmasq.control.readable import si

Kind = Literal["address", "port", "protocol", "number", "word"]
"""How a parameter is written. A number is an index of the table, from 0 to 2**32 - 1."""


class Filter(NamedTuple):
    """A parameter of a list: of its route, and an option of its command."""

    name: str
    kind: Kind
    about: str
    metavar: str = "NAME"


@dataclass(frozen=True)
class Listing:
    """One list. about: its line among the commands; more: what its help explains.

    after: the parameter that continues a list, None for a list that always comes whole.
    long: the command prints it as it arrives. busiest: the key people want sorted, the largest first.
    idle: rows the command and the page leave out unless all are asked for; empty: said when none is left.
    on_page: the page shows it.
    """

    name: str
    row: str
    about: str
    more: str
    examples: tuple[str, ...]
    next: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    after: Filter | None = None
    long: bool = False
    busiest: str | None = None
    idle: Callable[[Row], bool] | None = None
    idle_are: str = ""
    empty: str = ""
    on_page: bool = False


def _forwarded(row: Row) -> str:
    address = row["external_address"] or "*"
    return f"{address}:{row['external_port']}" if row["external_port"] else str(address)


def _listed(ports: list[int]) -> str:
    return ",".join(map(str, ports))


def _exceptions(row: Row) -> str:
    return ", ".join(f"{each['cidr']} {_on_or_off(each['enabled'])}" for each in row["networks"])


def _on_or_off(enabled: bool) -> str:
    return "on" if enabled else "off"


def _messages(result: str, title: str, width: int) -> Column:
    return Column(result, title, width, True, lambda row: si(row["messages"][result]))


_ENDPOINT = 21
_INTERNAL = Column("internal", "INTERNAL", _ENDPOINT)
_EXTERNAL = Column("external", "EXTERNAL", _ENDPOINT)
_PROTOCOL = Column("protocol", "PROTO", 5)
_SESSIONS = Column("sessions", "SESSIONS", 8, right=True)

HOST = Filter("host", "address", "Only with this address on any side.", "ADDRESS")
PORT = Filter("port", "port", "Only with this port (or ICMP id) on any side.", "N")
PROTOCOL = Filter("protocol", "protocol", "Only this protocol: tcp, udp, icmp, gre … or its number.")
HELPER = Filter("helper", "word", "Only those this helper reads.")
AFTER = Filter("after", "number", 'Continue where a list ended: its "next".', "N")

SESSIONS = Listing(
    name="sessions",
    row="Session",
    about="Every session: its endpoints, traffic and age.",
    more="""INTERNAL is the endpoint behind the router, EXTERNAL the one it appears as, REMOTE the other side.
    OUT and IN are bytes. With ICMP queries the number after the address is their identifier. HELPER reads
    the payload; "-" means none.""",
    examples=(
        "nfmasq sessions --host 192.168.1.10 --protocol tcp",
        "nfmasq sessions --json | jq '[.sessions[].bytes_in] | add'",
    ),
    next="`nfmasq top` for the busiest, `nfmasq flush --host A` to end those of one host.",
    columns=(
        _PROTOCOL,
        _INTERNAL,
        _EXTERNAL,
        Column("remote", "REMOTE", _ENDPOINT),
        Column("state", "STATE", 11),
        rounded("packets_out", "PKT OUT", 7),
        rounded("packets_in", "PKT IN", 7),
        rounded("bytes_out", "OUT", 6),
        rounded("bytes_in", "IN", 6),
        seconds("age_s", "AGE", 6),
        seconds("expires_s", "EXPIRES", 7),
        Column("helper", "HELPER", 0),
    ),
    filters=(HOST, PORT, PROTOCOL, HELPER),
    after=AFTER,
    long=True,
)

MAPPINGS = Listing(
    name="mappings",
    row="Mapping",
    about="Every mapping: an internal endpoint and its external one.",
    more="""A mapping is endpoint-independent (RFC 4787 REQ-1): all sessions of one internal endpoint
    share it.""",
    examples=("nfmasq mappings --port 5060 --protocol udp",),
    next="`nfmasq sessions --host A` for the sessions of a mapping.",
    columns=(_PROTOCOL, _INTERNAL, _EXTERNAL, _SESSIONS, seconds("age_s", "AGE", 6)),
    filters=(HOST, PORT, PROTOCOL),
    after=AFTER,
    long=True,
)

HOSTS = Listing(
    name="hosts",
    row="Host",
    about="The internal hosts with a mapping, and their sessions.",
    more="The host with the most sessions comes first.",
    examples=("nfmasq hosts --json | jq -r '.hosts[] | select(.sessions > 1000) | .host'",),
    next="`nfmasq sessions --host A`.",
    columns=(Column("host", "HOST", 15), _SESSIONS, Column("mappings", "MAPPINGS", 8, right=True)),
    filters=(HOST._replace(about="Only this host."),),
    after=AFTER._replace(kind="address", metavar="ADDRESS"),
    busiest="sessions",
)

FORWARDS = Listing(
    name="forwards",
    row="Forward",
    about="Forwards to internal hosts; add and remove them.",
    more="Without a subcommand: the list.",
    examples=(
        "nfmasq forwards",
        "sudo nfmasq forwards add --protocol tcp --port 8080 --to 192.168.1.10:80",
        "sudo nfmasq forwards remove tcp-8080",
    ),
    next="`nfmasq sessions --host A` for the sessions a forward let in.",
    columns=(
        Column("id", "ID", 16),
        Column("source", "SOURCE", 7),
        Column("protocol", "PROTO", 7),
        Column("external", "EXTERNAL", _ENDPOINT, shown=_forwarded),
        _SESSIONS,
        Column("to", "TO", 0, shown=lambda row: ", ".join(row["to"])),
    ),
    filters=(
        HOST._replace(about="Only forwards to this internal host, or of this external address."),
        PORT._replace(about="Only forwards with this port."),
        PROTOCOL._replace(about="Only forwards that take this protocol."),
    ),
    after=AFTER._replace(kind="word", metavar="ID"),
)

HELPERS = Listing(
    name="helpers",
    row="Helper",
    about="Helpers and their counters; enable and disable them.",
    more="""A helper translates the endpoints that its protocol carries in the payload. Without a subcommand:
    the list.""",
    examples=(
        "nfmasq helpers",
        "sudo nfmasq helpers enable irc",
        "sudo nfmasq helpers disable ftp --internal 192.168.2.0/24",
    ),
    next="`nfmasq sessions --helper ftp` for the sessions of one.",
    columns=(
        Column("name", "HELPER", 10),
        Column("enabled", "ON", 4, shown=lambda row: _on_or_off(row["enabled"])),
        Column("ports", "PORTS", 14, shown=lambda row: f"{row['transport']} {_listed(row['ports'])}"),
        _SESSIONS,
        _messages("seen", "SEEN", 6),
        _messages("rewritten", "REWRITTEN", 9),
        _messages("not_acted_on", "NOT ACTED ON", 12),
        _messages("error", "ERRORS", 6),
        Column("networks", "OTHERWISE", 0, shown=_exceptions),
    ),
    filters=(HELPER._replace(about="Only this helper."),),
    after=AFTER._replace(kind="word", metavar="NAME"),
    on_page=True,
)

DROPS = Listing(
    name="drops",
    row="Drop",
    about="Why packets were dropped since the start, and how many.",
    more="The most frequent reason comes first.",
    examples=("watch nfmasq drops",),
    next="`nfmasq doctor` when the class is fault.",
    columns=(
        Column("count", "PACKETS", 9, right=True),
        Column("reason", "REASON", 22),
        Column("class", "CLASS", 7),
        Column("sentence", "WHY", 0),
    ),
    busiest="count",
    idle=lambda row: not row["count"],
    idle_are="Also reasons with a count of 0.",
    empty="No packet was dropped.",
    on_page=True,
)

LISTINGS = {each.name: each for each in (SESSIONS, MAPPINGS, HOSTS, FORWARDS, HELPERS, DROPS)}
"""Every list by its name, in the order of the command line."""

"""Rows of the table turned into the objects of the control API."""

from collections.abc import Mapping as MappingOf
from ipaddress import IPv4Address

from nfmasq._fastpath import Counters, MappingRow, SessionRow
from nfmasq.config.protocols import PROTOCOL_NUMBERS, protocol_name
from nfmasq.control.schemas import Drop, Host, Mapping, Session
from nfmasq.core import reasons


def protocol_number(word: str) -> int:
    """The IP protocol number of a name or a number written out; ValueError names what is taken."""
    number = PROTOCOL_NUMBERS.get(word.lower())
    if number is None and word.isdecimal() and int(word) < 256:
        number = int(word)
    if number is None:
        raise ValueError(
            f"no such protocol: {word!r}; use {', '.join(PROTOCOL_NUMBERS)} or a number up to 255"
        )
    return number


def _endpoint(address: IPv4Address, port: int) -> str:
    return f"{address}:{port}"


def session(row: SessionRow, helpers: MappingOf[int, str]) -> Session:
    """One session as the API shows it. helpers: their names, by number."""
    return {
        "protocol": protocol_name(row.protocol),
        "internal": _endpoint(*row.internal),
        "external": _endpoint(*row.external),
        "remote": _endpoint(*row.remote),
        "state": row.state,
        "helper": helpers.get(row.helper),
        "packets_out": row.packets_out,
        "packets_in": row.packets_in,
        "bytes_out": row.bytes_out,
        "bytes_in": row.bytes_in,
        "age_s": row.age_s,
        "expires_s": row.expires_s,
    }


def mapping(row: MappingRow) -> Mapping:
    """One mapping as the API shows it."""
    return {
        "protocol": protocol_name(row.protocol),
        "internal": _endpoint(*row.internal),
        "external": _endpoint(*row.external),
        "sessions": row.sessions,
        "age_s": row.age_s,
    }


def hosts(table: MappingOf[IPv4Address, tuple[int, int]]) -> list[Host]:
    """Internal hosts in order of their addresses."""
    return [
        {"host": str(address), "sessions": sessions, "mappings": mappings}
        for address, (sessions, mappings) in sorted(table.items())
    ]


def drops(counters: Counters) -> list[Drop]:
    """Every reason a packet can be dropped for, those that never happened too."""
    return [
        {"reason": row.name, "class": row.kind, "count": count, "sentence": row.sentence}
        for row, count in zip(reasons.ROWS, counters.dropped, strict=True)
    ]

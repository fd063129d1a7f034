"""External interfaces and their addresses, read from a document that may be wrong anywhere."""

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from nfmasq.config.addresses import interface, pool
from nfmasq.config.errors import key_of
from nfmasq.config.lenient import Document, as_list, good, good_items


class WrittenPool(NamedTuple):
    """External addresses as written, and the key they stand at."""

    key: str
    pool: IPv4Network
    written: Any


def externals(nat: Document) -> Iterator[tuple[str, str]]:
    """The key and the name of each external interface that is good by itself."""
    written = nat.get("external")
    if isinstance(written, list):
        for place, name in good_items(interface, written):
            yield key_of(("nat", "external", place)), name
    elif (alone := good(interface, written)) is not None:
        yield "nat.external", alone


def pools_of(nat: Document) -> list[WrittenPool]:
    """The external addresses that are good by themselves, of all uplinks, in the file's order."""
    written = nat.get("addresses")
    several = written if isinstance(written, dict) else {"": written}
    return [
        WrittenPool(key_of(("nat", "addresses", *([name] if name else []), place)), addresses, listed[place])
        for name, value in several.items()
        for listed in (as_list(value),)
        for place, addresses in good_items(pool, listed)
    ]

"""Which helpers a file may name, and what it may say of each.

Works on the document, as `across` does and for the same reason. What a helper takes is for the helper to
declare; so the keys of its table are judged here and not by a model.
"""

from collections.abc import Iterator
from typing import Any

from nfmasq.config.addresses import LAST_PORT
from nfmasq.config.declared import Declared, declared, names
from nfmasq.config.errors import ConfigError, did_you_mean, key_of, on_one_line, quoted
from nfmasq.config.lenient import Document, as_list, as_table, good_items
from nfmasq.config.values import whole
from nfmasq.core.limits import MOST_HELPER_PORTS

OWN_KEYS = ("enabled", "ports")
"""What the table of any helper takes."""


def helper_errors(document: Document) -> Iterator[ConfigError]:
    """Everything that is wrong with what a document says of helpers, and no single model can see."""
    written = as_table(document.get("helpers"))
    known = names()
    for name, table in written.items():
        if name in known:
            yield from _table(name, as_table(table))
        else:
            yield ConfigError(key_of(("helpers", name)), unknown(name, known))
    for place, network in enumerate(as_list(document.get("network"))):
        for name in as_table(as_table(network).get("helpers")):
            if name not in known:
                yield ConfigError(key_of(("network", place, "helpers", name)), unknown(name, known))
    yield from _shared_ports(document, known)


def unknown(name: str, known: list[str]) -> str:
    """The error about a helper that does not exist."""
    advice = did_you_mean(name, known) or f"; there are: {', '.join(known)}"
    return f"there is no helper {quoted(name)}{advice}"


def ports_of(name: str, written: Any) -> dict[int, int]:
    """The ports of a helper, as its table says or else as it declares, and where they are written."""
    own = declared(name)
    listed = as_list(as_table(written).get("ports"))
    if not listed:
        return dict.fromkeys(own.ports if own else (), -1)
    return {port: place for place, port in reversed(good_items(whole(1, LAST_PORT), listed))}


def _table(name: str, table: Document) -> Iterator[ConfigError]:
    own = declared(name)
    if own is None:  # it cannot be loaded, which is a warning; what it takes is not known
        return
    options, errors = {}, []
    for key, value in table.items():
        if key not in OWN_KEYS:
            try:
                options[key] = _option(own, key, value)
            except ValueError as wrong:
                errors.append(ConfigError(key_of(("helpers", name, key)), str(wrong)))
    if not errors and (options or own.unloaded is None):
        try:
            own.make(**options)
        except Exception as wrong:  # what others wrote may raise anything
            errors.append(ConfigError(key_of(("helpers", name)), on_one_line(wrong)))
    yield from errors


def _option(own: Declared, key: str, value: Any) -> Any:
    """The option's value. Raises ValueError."""
    if key in own.options:
        return own.options[key](value)
    keys = [*OWN_KEYS, *own.options]
    raise ValueError("unknown key" + (did_you_mean(key, keys) or f"; there are: {', '.join(keys)}"))


def _shared_ports(document: Document, known: list[str]) -> Iterator[ConfigError]:
    """A session has one helper: no two that are enabled for any host may share a port."""
    written = as_table(document.get("helpers"))
    holders: dict[tuple[str, int], str] = {}
    count = 0
    for name in sorted(known, key=lambda name: name in written):
        own = declared(name)
        ports = ports_of(name, written.get(name))
        count += len(ports) * len(own.transports if own else ())
        if own is None or not _enabled_somewhere(name, own.enabled_by_default, document):
            continue
        for port, place in ports.items():
            held = [(each, holders.setdefault((each, port), name)) for each in own.transports]
            for transport, other in [each for each in held if each[1] != name][:1]:
                key = ("helpers", name, *(("ports", place) if place >= 0 else ()))
                both = f"{transport} port {port} is the {other} helper's already"
                yield ConfigError(key_of(key), f"{both}; give each ports of its own")
    if count > MOST_HELPER_PORTS:
        yield ConfigError("helpers", f"{count} ports for all helpers together; at most {MOST_HELPER_PORTS}")


def _enabled_somewhere(name: str, by_default: bool, document: Document) -> bool:
    written = as_table(document.get("helpers")).get(name, by_default)
    everywhere = as_table(written).get("enabled") if isinstance(written, dict) else written
    networks = (
        as_table(as_table(table).get("helpers")).get(name) for table in as_list(document.get("network"))
    )
    return everywhere is True or any(each is True for each in networks)

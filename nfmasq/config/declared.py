"""What the installed helpers declare of themselves: the part of it that a configuration is judged by."""

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from nfmasq.config.values import flag, number, text
from nfmasq.helpers import registry
from nfmasq.helpers.kit.base import Helper, transports_of

_NOT_OPTIONS = {"name", "transport", "ports", "enabled", "enabled_by_default", "about"}

_PLAIN: dict[Any, Callable[[Any], Any]] = {bool: flag, int: number, str: text}


class Declared(NamedTuple):
    """One helper. options: for each, what makes of a TOML value the one meant, or raises ValueError.

    make: the helper, from its options by name. What it raises is about their values. unloaded: stands for a
    helper that is disabled, and need not be loaded; None: it is loaded already.
    """

    transports: tuple[str, ...]
    ports: tuple[int, ...]
    enabled_by_default: bool
    options: Mapping[str, Callable[[Any], Any]]
    make: Callable[..., Helper]
    unloaded: Helper | None = None


def names() -> list[str]:
    """Every helper there is: nfmasq's own, and installed ones of others."""
    return sorted(registry.installed())


def declared(name: str) -> Declared | None:
    """What a helper declares; None for one that is not there or cannot be loaded.

    A helper of the tree is not loaded for it. Its `make` may raise Unusable, and so may its options: they are
    looked up when one is written.
    """
    facts = registry.facts(name)
    if facts is not None:
        make = partial(_made, name)
        return Declared(
            transports_of(facts), facts.ports, facts.enabled_by_default, _LateOptions(name), make, facts
        )
    try:
        kind = registry.kind(name)
    except registry.Unusable:
        return None
    own = kind()
    return Declared(transports_of(own), tuple(own.ports), bool(own.enabled_by_default), _options(kind), kind)


class _LateOptions(Mapping[str, Callable[[Any], Any]]):
    """The options of a helper that is loaded only when they are looked at. Raises Unusable."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getitem__(self, key: str) -> Callable[[Any], Any]:
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    @cached_property
    def _known(self) -> dict[str, Callable[[Any], Any]]:
        return _options(registry.kind(self._name))


def _made(name: str, **options: Any) -> Helper:
    helper: Helper = registry.kind(name)(**options)
    return helper


def _options(kind: Callable[..., Any]) -> dict[str, Callable[[Any], Any]]:
    """The keywords it is made with."""
    try:
        keywords = inspect.signature(kind).parameters
        kinds = typing.get_type_hints(kind.__init__)
    except (TypeError, ValueError, NameError):
        return {}
    return {
        name: _parser(kinds.get(name, Any))
        for name, keyword in keywords.items()
        if name not in _NOT_OPTIONS and keyword.kind in {keyword.POSITIONAL_OR_KEYWORD, keyword.KEYWORD_ONLY}
    }


def _parser(kind: Any) -> Callable[[Any], Any]:
    if kind in _PLAIN:
        return _PLAIN[kind]
    try:
        return partial(_other, TypeAdapter(kind))
    except PydanticUserError:  # a type nothing is known of: the helper itself looks at the value
        return lambda value: value


def _other(kind: TypeAdapter[Any], value: Any) -> Any:
    try:
        return kind.validate_python(value)
    except ValidationError as invalid:
        raise ValueError(f"must be otherwise: {invalid.errors()[0]['msg']}") from None

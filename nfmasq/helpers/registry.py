"""Which helpers there are: those that come with nfmasq, and those that others installed beside it.

A helper of others is an entry point of the group `nfmasq.helpers`: its name, and the class. What is found is
remembered as long as the process lives; so are the numbers by which the core knows them.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nfmasq.core.limits import MOST_HELPERS

GROUP = "nfmasq.helpers"

BUILT_IN = {"ftp": "nfmasq.helpers.protocols.ftp:Ftp", "irc": "nfmasq.helpers.protocols.irc:Irc"}


class Unusable(Exception):
    """A helper that is not there, or cannot be loaded; the message says why, on one line."""


@cache
def installed() -> dict[str, EntryPoint]:
    """Every helper by its name, those of nfmasq first, whose names no other can take."""
    return dict(list(_found().items())[:MOST_HELPERS])


def beyond() -> list[str]:
    """The names of helpers that are left out, because the core tells apart only so many."""
    return list(_found())[MOST_HELPERS:]


def _found() -> dict[str, EntryPoint]:
    built_in = {name: EntryPoint(name, place, GROUP) for name, place in BUILT_IN.items()}
    others = {each.name: each for each in sorted(entry_points(group=GROUP)) if each.name not in built_in}
    return {**built_in, **others}


def kind(name: str) -> Any:
    """The class of a helper, which can be made without options. Raises Unusable."""
    found = _loaded(name)
    if isinstance(found, Unusable):
        raise found
    return found


def number(name: str) -> int:
    """The number of a helper in the core, 1 or more; the same as long as the process lives."""
    return list(installed()).index(name) + 1


def forget() -> None:
    """Look anew, for tests that install one: numbers change."""
    installed.cache_clear()
    _loaded.cache_clear()


@cache
def _loaded(name: str) -> Any:
    """The class, or the reason why there is none: what failed once is not tried again."""
    if name not in installed():
        return Unusable("there is no such helper")
    try:
        loaded = installed()[name].load()
        lacking = _lacking(loaded(), name)
    except Exception as error:  # what others wrote may raise anything
        said = " ".join(str(error).split())
        return Unusable(f"cannot be loaded: {type(error).__name__}: {said}")
    return Unusable(f"cannot be used: {lacking}") if lacking else loaded


def _lacking(made: Any, name: str) -> str:
    """What keeps an object from being a helper of this name; "" when nothing does."""
    for attribute in ("name", "about", "transport", "ports", "enabled_by_default", "begin"):
        if not hasattr(made, attribute):
            return f"it has no {attribute}"
    if made.name != name:
        return f"it calls itself {made.name!r}"
    if made.transport not in ("tcp", "udp"):
        return f"its transport is {made.transport!r}, neither tcp nor udp"
    if not all(isinstance(port, int) and 0 < port < 1 << 16 for port in made.ports):
        return f"its ports are {made.ports!r}; they must be 1 to 65535"
    return ""

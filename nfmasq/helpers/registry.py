"""Which helpers exist: those of nfmasq (`protocols`), and those that other packages install.

Another package's helper is an entry point of the group `nfmasq.helpers`: its name, and the class. What is
stored: the list, what helpers of the tree say of themselves, and the classes that were loaded. Also the
reasons why others could not be. The first caller writes each; the end of the process ends it. The numbers by
which the core knows helpers are places in the list, so they last as long.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nfmasq.core.limits import MOST_HELPERS
from nfmasq.helpers import facts as facts_of_modules
from nfmasq.helpers import protocols
from nfmasq.helpers.facts import Facts

GROUP = "nfmasq.helpers"
_TRANSPORTS = ("tcp", "udp", ("tcp",), ("udp",), ("tcp", "udp"), ("udp", "tcp"))


class Unusable(Exception):
    """A helper does not exist, or cannot be loaded; the message says why, on one line."""


@cache
def installed() -> dict[str, EntryPoint]:
    """Every helper by its name. Those of nfmasq come first, and no other package can take their names."""
    return dict(list(_found().items())[:MOST_HELPERS])


def beyond() -> list[str]:
    """The names of helpers that are left out, because the core tells apart only so many."""
    return list(_found())[MOST_HELPERS:]


def _found() -> dict[str, EntryPoint]:
    built_in = {
        name: EntryPoint(name, f"{protocols.__name__}.{name}:HELPER", GROUP) for name in protocols.NAMES
    }
    others = {each.name: each for each in sorted(entry_points(group=GROUP)) if each.name not in built_in}
    return {**built_in, **others}


def kind(name: str) -> Any:
    """The class of a helper, which can be made without options. Raises Unusable."""
    found = _loaded(name)
    if isinstance(found, Unusable):
        raise found
    return found


@cache
def facts(name: str) -> Facts | None:
    """What a helper of the tree says of itself, without loading it; None: it must be loaded to know."""
    if name not in protocols.NAMES:
        return None
    read = facts_of_modules.read(f"{protocols.__name__}.{name}")
    return None if read is None or _lacking(read, name) else read


def number(name: str) -> int:
    """The number of a helper in the core, 1 to MOST_HELPERS; the same as long as the process lives."""
    return list(installed()).index(name) + 1


def forget() -> None:
    """Search again at the next call, for tests that install a helper: numbers change."""
    installed.cache_clear()
    facts.cache_clear()
    _loaded.cache_clear()


@cache
def _loaded(name: str) -> Any:
    """The class, or the reason why there is none: a helper that failed once is not loaded again."""
    if name not in installed():
        return Unusable("there is no such helper")
    try:
        loaded = installed()[name].load()
        lacking = _lacking(loaded(), name)
    except Exception as error:  # another package's code may raise anything
        said = " ".join(str(error).split())
        return Unusable(f"cannot be loaded: {type(error).__name__}: {said}")
    return Unusable(f"cannot be used: {lacking}") if lacking else loaded


def _lacking(made: Any, name: str) -> str:
    """Why an object is no helper of this name; "": it is one."""
    for attribute in ("name", "about", "transport", "ports", "enabled_by_default", "begin"):
        if not hasattr(made, attribute):
            return f"it has no {attribute}"
    if made.name != name:
        return f"it calls itself {made.name!r}"
    if made.transport not in _TRANSPORTS:
        return f"its transport is {made.transport!r}, neither tcp nor udp, nor a tuple of both"
    if not all(isinstance(port, int) and 0 < port < 1 << 16 for port in made.ports):
        return f"its ports are {made.ports!r}; they must be 1 to 65535"
    return ""

"""Which helpers there are: those that come with nfmasq, and those that others installed beside it.

A helper of others is an entry point of the group `nfmasq.helpers`: its name, and the class. What is found is
remembered as long as the process lives; so are the numbers by which the core knows them.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "nfmasq.helpers"

BUILT_IN = {"ftp": "nfmasq.helpers.ftp:Ftp", "irc": "nfmasq.helpers.irc:Irc"}

MOST = 31
"""Helpers the core can tell apart."""


class Unusable(Exception):
    """A helper that is not there, or cannot be loaded; the message says why."""


@cache
def installed() -> dict[str, EntryPoint]:
    """Every helper by its name, those of nfmasq first. One of others cannot take the name of one of nfmasq's."""
    built_in = {name: EntryPoint(name, place, GROUP) for name, place in BUILT_IN.items()}
    others = {each.name: each for each in sorted(entry_points(group=GROUP))}
    return dict(
        [*built_in.items(), *((name, each) for name, each in others.items() if name not in built_in)][:MOST]
    )


@cache
def kind(name: str) -> Any:
    """The class of a helper. Raises Unusable."""
    try:
        return installed()[name].load()
    except KeyError:
        raise Unusable("there is no such helper") from None
    except Exception as error:  # what others wrote may raise anything
        raise Unusable(f"cannot be loaded: {type(error).__name__}: {error}") from None


def number(name: str) -> int:
    """The number of a helper in the core, 1 or more; the same as long as the process lives."""
    return list(installed()).index(name) + 1

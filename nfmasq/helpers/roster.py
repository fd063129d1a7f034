"""The helpers of one daemon: under which number the core knows each, how it is set, for whom it is on.

What is stored: an entry for each, in a mapping that is replaced whole. Who writes: the daemon, by way of the
engine. A helper that others wrote and that cannot be made is a warning, and missing; the rest goes on.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from typing import Any

from nfmasq.helpers import registry
from nfmasq.helpers.base import Helper
from nfmasq.helpers.switches import Switch

log = logging.getLogger("nfmasq")


@dataclass(frozen=True)
class Enrolled:
    """One helper. number: 1 to 31."""

    number: int
    helper: Helper
    switch: Switch


class Roster:
    """The helpers by number and by name. Raises ValueError for a number or a name that two of them have."""

    def __init__(self, enrolled: Iterable[Enrolled]) -> None:
        entries = tuple(enrolled)
        self.by_number: Mapping[int, Enrolled] = {each.number: each for each in entries}
        if len(self.by_number) < len(entries) or len({each.helper.name for each in entries}) < len(entries):
            raise ValueError("two helpers have one number or one name")

    def __iter__(self) -> Iterator[Enrolled]:
        return iter(self.by_number.values())

    def named(self, name: str) -> Enrolled:
        """One helper. Raises KeyError."""
        for each in self:
            if each.helper.name == name:
                return each
        raise KeyError(name)

    def turned(self, name: str, enabled: bool, network: IPv4Network | None = None) -> "Roster":
        """As it is after one is switched, for one network's hosts or for all. Raises KeyError."""
        entry = self.named(name)
        turned = replace(entry, switch=entry.switch.turned(enabled, network))
        return Roster(turned if each is entry else each for each in self)


def load(
    options: Mapping[str, Mapping[str, Any]] | None = None, switches: Mapping[str, Switch] | None = None
) -> Roster:
    """All helpers that come with nfmasq or are installed beside it, made with these options.

    switches: for whom each is on; else as it says itself. One that cannot be made is a warning.
    """
    return Roster(_made(options or {}, switches or {}))


def _made(options: Mapping[str, Mapping[str, Any]], switches: Mapping[str, Switch]) -> Iterator[Enrolled]:
    for name in registry.installed():
        try:
            helper: Helper = registry.kind(name)(**options.get(name, {}))
            if helper.name != name:
                raise ValueError(f"it calls itself {helper.name!r}")
            switch = switches.get(name) or Switch(bool(helper.enabled_by_default))
        except registry.Unusable as error:
            log.warning("the helper %s %s: it is not there; mend or remove its package", name, error)
        except Exception as error:  # what others wrote may raise anything
            log.warning("the helper %s cannot be made (%s: %s): it is not there", name, type(error).__name__, error)
        else:
            yield Enrolled(registry.number(name), helper, switch)

"""The helpers as the engine knows them: under which number the core knows each, and for whom it is on.

What is stored: an entry for each; a roster never changes, another takes its place.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from nfmasq.helpers.base import Helper
from nfmasq.helpers.switches import Switch


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

    def turned(self, name: str, switch: Switch) -> "Roster":
        """As it is with this switch for one of them. Raises KeyError."""
        entry = self.named(name)
        return Roster(replace(each, switch=switch) if each is entry else each for each in self)

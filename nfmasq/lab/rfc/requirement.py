"""A requirement of an RFC: what it asks, how binding it is, and the check that shows it, or why none is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nfmasq.lab.rfc.ground import Ground


class Level(StrEnum):
    """How binding a requirement is (RFC 2119); MUST NOT counts as MUST, SHOULD NOT as SHOULD."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    RECOMMENDED = "RECOMMENDED"
    MAY = "MAY"


MUST, SHOULD, RECOMMENDED, MAY = Level.MUST, Level.SHOULD, Level.RECOMMENDED, Level.MAY


class Standing(StrEnum):
    """What nfmasq says of itself. The first three have a check; PENDING is one that must fail as yet."""

    MET = "met"
    PARTLY = "partly"
    PENDING = "not yet"
    DEPARTURE = "not"
    NOT_APPLICABLE = "not applicable"


Check = Callable[["Ground"], None]


@dataclass(frozen=True)
class Requirement:
    """One requirement. number: as in the RFC ("REQ-9a", "§2.2"); reason: why it is not, or not quite, met."""

    rfc: int
    number: str
    level: Level
    asks: str
    standing: Standing
    check: Check | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """The requirement in one word, as tests are called: RFC4787-REQ-9a."""
        return f"RFC{self.rfc}-{self.number.removeprefix('§')}"


@dataclass
class Rfc:
    """The requirements of one RFC in their order; its module fills it."""

    number: int
    title: str
    requirements: list[Requirement] = field(default_factory=list)

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self.requirements)

    def requires(
        self, number: str, level: Level, asks: str, *, but: str = "", missing: str = ""
    ) -> Callable[[Check], Check]:
        """The decorated function checks this requirement, and raises NotMet if it does not hold.

        but: what of it is not met, though the check passes. missing: why the check fails as yet.
        """
        standing = Standing.PENDING if missing else Standing.PARTLY if but else Standing.MET

        def add(check: Check) -> Check:
            self.requirements.append(
                Requirement(self.number, number, level, asks, standing, check, missing or but)
            )
            return check

        return add

    def departs(self, number: str, level: Level, asks: str, reason: str) -> None:
        """This requirement is not met on purpose, or not built."""
        self.requirements.append(
            Requirement(self.number, number, level, asks, Standing.DEPARTURE, reason=reason)
        )

    def excludes(self, number: str, level: Level, asks: str, reason: str) -> None:
        """This requirement does not apply to nfmasq."""
        self.requirements.append(
            Requirement(self.number, number, level, asks, Standing.NOT_APPLICABLE, reason=reason)
        )

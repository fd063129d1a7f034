"""Running the checks of the requirements, and what came of each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import NotMet
from nfmasq.lab.rfc.requirement import Requirement


@dataclass(frozen=True)
class Outcome:
    """What came of a requirement. met: None where there is no check; said: what was seen instead."""

    requirement: Requirement
    met: bool | None
    said: str = ""


def run(requirement: Requirement, ground: Ground) -> Outcome:
    """Check one requirement. An internal address on the WAN meanwhile fails whatever was checked."""
    if requirement.check is None:
        return Outcome(requirement, None)
    try:
        requirement.check(ground)
    except NotMet as error:
        return Outcome(requirement, False, " ".join(str(error).split()))
    except Exception as error:  # whatever else stops a check, it has shown nothing
        return Outcome(requirement, False, f"{type(error).__name__}: {' '.join(str(error).split())}")
    leaks = ground.sentinel.take()
    if leaks:
        return Outcome(requirement, False, f"an internal address was seen outside: {leaks[0]}")
    return Outcome(requirement, True)


def run_all(requirements: Iterable[Requirement], ground: Ground) -> Iterator[Outcome]:
    """Check these one after the other."""
    return (run(requirement, ground) for requirement in requirements)

"""From the options of the command to what is measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from nfmasq.bench.measures import MEASURES
from nfmasq.bench.rounds import Plan
from nfmasq.bench.variants import SCAPY, VARIANTS

NAMES = [*(measure.name for measure in MEASURES), *(variant.name for variant in VARIANTS)]
"""All that can be asked for by its name, in the order in which it is shown."""

ROUNDS, QUICK_ROUNDS = 5, 1
SECONDS, QUICK_SECONDS = 3.0, 0.5


@dataclass(frozen=True)
class Choice:
    """The options. quick: the short form.

    only: names; those of measures exclude all other measures, those of variants all other variants.
    rounds, seconds: None: those of the form.
    """

    quick: bool
    only: frozenset[str]
    rounds: int | None
    seconds: float | None
    senders: int


def choose(choice: Choice, workers: int, *, with_scapy: bool) -> Plan:
    """What is measured. workers: of each queue program."""
    ways = set(_named(choice.only, [variant.name for variant in VARIANTS]))
    taken = set(_named(choice.only, [measure.name for measure in MEASURES]))
    return Plan(
        tuple(each for each in VARIANTS if each.name in ways and (with_scapy or each is not SCAPY)),
        tuple(each for each in MEASURES if each.name in taken),
        choice.rounds or (QUICK_ROUNDS if choice.quick else ROUNDS),
        choice.seconds or (QUICK_SECONDS if choice.quick else SECONDS),
        workers,
        choice.senders,
    )


def _named(only: frozenset[str], names: Sequence[str]) -> Sequence[str]:
    """Those of the names that were asked for; all where none was."""
    return [name for name in names if name in only] or names

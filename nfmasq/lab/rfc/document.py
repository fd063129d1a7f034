"""docs/rfc-compliance.md, made from the requirements themselves.

`python -m nfmasq.lab.rfc.document > docs/rfc-compliance.md` writes it anew.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from nfmasq.lab.rfc.every import EVERY, RFCS
from nfmasq.lab.rfc.requirement import Level, Requirement, Rfc, Standing

TEST = "tests/rfc/test_requirements.py::test_requirement"

HEAD = f"""\
# What the RFCs ask, and what nfmasq does

Every requirement of the RFCs about NATs: met, partly met, or not, and why. Every line that says "met" or
"partly" names the test that shows it, an instance of `{TEST}`:

    sudo tests/run tests/rfc                                  all of them
    sudo tests/run tests/rfc -k RFC4787-REQ-9a                one
    sudo nfmasq lab --rfc                                     the same checks as a table, on your own machine

The checks send packets made byte by byte through the daemon, in network namespaces; those that need minutes,
or a thousand packets, go through the compiled core with a clock of their own. "Not" is a deliberate
departure, with its reason; "not yet" has a test that must fail until it is met. Requirements are in our
words; the RFC's count.

This page is made from `nfmasq/lab/rfc/`, and a test compares the two.
"""


def render() -> str:
    """The whole page."""
    return "\n".join((HEAD, *_tally(EVERY), *(line for rfc in RFCS for line in _section(rfc))))


def _tally(requirements: Iterable[Requirement]) -> Iterator[str]:
    counted = Counter((each.level, each.standing) for each in requirements)
    yield f"| | {' | '.join(Standing)} |"
    yield "|---" * (len(Standing) + 1) + "|"
    for level in Level:
        yield f"| {level} | {' | '.join(str(counted[level, standing]) for standing in Standing)} |"
    yield ""


def _section(rfc: Rfc) -> Iterator[str]:
    yield f"## RFC {rfc.number}: {rfc.title}"
    yield ""
    yield "| requirement | level | asks | nfmasq | shown by |"
    yield "|---|---|---|---|---|"
    for each in rfc:
        stand = f"{each.standing}: {each.reason}" if each.reason else f"{each.standing}"
        shown = f"`{each.name}`" if each.check else "-"
        yield f"| {each.number} | {each.level} | {each.asks} | {stand} | {shown} |"
    yield ""


if __name__ == "__main__":
    print(render(), end="")

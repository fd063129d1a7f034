"""Every requirement of the RFCs that has a check: one test each, called by its number.

One that is not met yet must fail, so that it is not forgotten once it is.
"""

from collections.abc import Iterator

import pytest

from nfmasq.lab.rfc.every import EVERY
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.requirement import Requirement, Standing
from nfmasq.lab.rfc.running import run

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    """One network and one daemon for all of them."""
    with Ground() as made:
        yield made


def _parameter(requirement: Requirement) -> object:
    if requirement.standing is Standing.PENDING:
        marks = [pytest.mark.xfail(reason=requirement.reason, strict=True)]
    else:
        marks = []
    return pytest.param(requirement, id=requirement.name, marks=marks)


@pytest.mark.parametrize("requirement", [_parameter(each) for each in EVERY if each.check])
def test_requirement(requirement: Requirement, ground: Ground) -> None:
    outcome = run(requirement, ground)
    assert outcome.met, f"{requirement.asks} {outcome.said}"
    assert ground.daemon.running, ground.daemon.log

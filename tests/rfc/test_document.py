"""docs/rfc-compliance.md says what the tests show: no more, and no less."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nfmasq.lab.rfc.document import render
from nfmasq.lab.rfc.every import EVERY
from nfmasq.lab.rfc.requirement import Standing

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rfc-compliance.md"
NUMBERED = {4787: 14, 5382: 10, 5508: 11, 6888: 15}
"""How many numbered requirements these RFCs have."""
LETTERED = {
    4787: "3a 5a 5b 5c 6a 8a 9a 10a 12a 12b 13a 14a",
    5382: "2a 3a 3b 4a 5a 8a",
    5508: "1a 2a 3a 3b 3c 3d 4a 4b 4c 5a 5b 5c 7a 10a 10b 10c 10d 10e 10f",
    6888: "4A 4B 4C 8A 8B 8C 11A 11B 11C 11D",
}
SECTIONS = {7857: range(2, 13)}

LINE = re.compile(r"^\| (\S+) \| (?:MUST|SHOULD|RECOMMENDED|MAY) \| .* \| (.*) \| (\S+) \|$")


def _lines() -> dict[str, tuple[str, str]]:
    """What the page says: by requirement, how it stands and the test named, or "-"."""
    said, rfc = {}, ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## RFC "):
            rfc = line.split()[2].rstrip(":")
        elif found := LINE.match(line):
            said[f"RFC{rfc}-{found[1].removeprefix('§')}"] = (found[2], found[3].strip("`"))
    return said


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """The names of the tests there are, as pytest finds them."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-o",
        "addopts=",
        "tests/rfc/test_requirements.py",
    ]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(re.findall(r"::test_requirement\[(.+)\]", found.stdout))


def test_the_page_is_made_from_the_requirements() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "write it anew: python -m nfmasq.lab.rfc.document > docs/rfc-compliance.md"
    )


def test_every_requirement_has_a_line_and_every_line_is_one() -> None:
    assert list(_lines()) == [requirement.name for requirement in EVERY]


def test_every_test_has_a_line_and_every_test_named_is_there(tests: set[str]) -> None:
    assert {test for _, test in _lines().values() if test != "-"} == tests


def test_whatever_is_said_to_be_met_has_the_test_of_its_number() -> None:
    for name, (standing, test) in _lines().items():
        if standing.startswith(("met", "partly", "not yet")):
            assert test == name
        else:
            assert test == "-", f"{name} has a test but is said to be {standing}"
            assert ":" in standing, f"{name} does not say why"


def test_no_number_is_left_out() -> None:
    numbers = {(each.rfc, each.number) for each in EVERY}
    for rfc, last in NUMBERED.items():
        for number in range(1, last + 1):
            name = re.compile(rf"REQ-{number}[a-zA-Z]?$")
            assert any(each == rfc and name.match(its) for each, its in numbers), f"RFC {rfc} REQ-{number}"
    for rfc, letters in LETTERED.items():
        assert not {f"REQ-{each}" for each in letters.split()} - {its for each, its in numbers if each == rfc}
    for rfc, sections in SECTIONS.items():
        for section in sections:
            assert any(each == rfc and re.match(rf"§{section}\b", its) for each, its in numbers), section


def test_whatever_is_not_quite_met_says_why() -> None:
    assert all(each.reason for each in EVERY if each.standing is not Standing.MET)

"""`nfmasq lab --rfc`: what it prints of each outcome, and how it ends, shown by requirements of its own."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from nfmasq.cli import requirements
from nfmasq.cli.lab import lab
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import NotMet
from nfmasq.lab.rfc.requirement import MAY, MUST, SHOULD, Rfc
from nfmasq.lab.rfc.way import CLIENT, SERVER, port

RFC = Rfc(9999, "requirements of a test")


@RFC.requires("REQ-1", MUST, "An endpoint is mapped.")
def _met(ground: Ground) -> None:
    ground.mapped((CLIENT, port()))


@RFC.requires("REQ-2", SHOULD, "Something is quite so.", but="it is nearly so")
def _partly(_: Ground) -> None:
    pass


RFC.departs("REQ-3", MAY, "Something else.", "there is no need")
FINE = tuple(RFC)


@RFC.requires("REQ-4", MUST, "Nobody is let in by a mapping.")
def _not_met(ground: Ground) -> None:
    if ground.lets_in((SERVER, 53), ground.mapped((CLIENT, port()))):
        raise NotMet("somebody is let in")


@RFC.requires("REQ-5", MUST, "What a check never thought of.")
def _broken(_: Ground) -> None:
    raise KeyError("unthought-of")


BAD = tuple(RFC)


def _run(monkeypatch: pytest.MonkeyPatch, which: object, *options: str) -> Result:
    monkeypatch.setattr(requirements, "EVERY", which)
    monkeypatch.setattr(requirements, "RFCS", (RFC,))
    return CliRunner().invoke(lab, ["--rfc", *options])


@pytest.mark.root
def test_a_line_each_with_its_reason_and_0_when_nothing_is_unmet(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _run(monkeypatch, FINE)
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines() if line]
    assert lines == [
        "RFC 9999, requirements of a test",
        "✔ REQ-1 MUST An endpoint is mapped.",
        "◐ REQ-2 SHOULD Something is quite so.",
        "partly: it is nearly so",
        "- REQ-3 MAY Something else.",
        "departure: there is no need",
        "1 met, 1 partly, 1 departure",
    ]


@pytest.mark.root
def test_what_is_not_met_says_what_was_seen_and_it_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _run(monkeypatch, BAD)
    assert done.exit_code == 1
    assert re.search(r"✘ REQ-4 .*\n +not met: somebody is let in\n", done.output)
    assert "not met: KeyError: 'unthought-of'" in done.output
    assert done.output.endswith("1 met, 1 partly, 2 not met, 1 departure\n")


@pytest.mark.root
def test_as_json_it_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _run(monkeypatch, BAD, "--json")
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert told["schema"] == 1
    assert told["summary"] == {"met": 1, "partly": 1, "departure": 1, "not met": 2}
    assert told["requirements"][3] == {
        "requirement": "RFC9999-REQ-4",
        "rfc": 9999,
        "number": "REQ-4",
        "level": "MUST",
        "asks": "Nobody is let in by a mapping.",
        "outcome": "not met",
        "why": "somebody is let in",
    }


@pytest.mark.parametrize("options", [["--json"], ["--rfc", "--once"], ["--rfc", "--kernel"]], ids=" ".join)
def test_options_that_do_not_go_together_are_told(options: list[str]) -> None:
    done = CliRunner().invoke(lab, options)
    assert done.exit_code == 2
    assert "--rfc" in done.output

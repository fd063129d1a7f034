"""`nfmasq lab --neighbours`: the neighbours themselves, and what the command prints of each outcome."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nfmasq.cli.neighbours import visit_neighbours
from nfmasq.lab.foreign import NotHere, iptables, nft, packets_of
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.neighbours.every import EVERY
from nfmasq.lab.neighbours.neighbour import Neighbour, Wrong, call_on
from nfmasq.lab.programs import python_environment
from nfmasq.lab.topology import Masquerade


def _in_order(_: Masquerade) -> str:
    return "all as it should be"


def _fails(_: Masquerade) -> str:
    raise Wrong("a host is seen as nobody")


def _is_missing(_: Masquerade) -> str:
    raise NotHere("/dev/net/tun: No such device")


GOOD = Neighbour("good", "all is well", _in_order)
BAD = Neighbour("bad", "hosts are served", _fails)
AWAY = Neighbour("away", "it is there", _is_missing)


@pytest.mark.parametrize("masquerade", ["none", "kernel"], ids=["nfmasq", "kernel"])
@pytest.mark.parametrize("neighbour", EVERY, ids=lambda neighbour: neighbour.name.replace(" ", "_"))
def test_a_neighbour_and_the_router_get_on(
    as_root: None, neighbour: Neighbour, masquerade: Masquerade
) -> None:
    outcome = call_on(neighbour, masquerade)
    assert outcome.result == "ok", outcome.saw


def test_there_are_ten_of_them_each_with_a_name_and_a_sentence_of_its_own() -> None:
    assert len({each.name for each in EVERY}) == len({each.right for each in EVERY}) == 10


def test_a_line_each_and_a_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert visit_neighbours("none", False, (GOOD, AWAY))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "ok   good: all as it should be"
    assert said[2] == "-    away: not here: /dev/net/tun: No such device"
    assert said[-1] == "1 of 2 passed, 1 not here"


def test_one_that_fails_is_said_and_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert not visit_neighbours("none", False, (BAD, GOOD))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "FAIL bad: a host is seen as nobody"
    assert said[-1] == "1 of 2 passed"


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert not visit_neighbours("none", True, (GOOD, BAD, AWAY))
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == 1
    assert [each["outcome"] for each in said["neighbours"]] == ["ok", "failed", "not here"]
    assert said["neighbours"][1]["right"] == "hosts are served"
    assert said["summary"] == {"ok": 1, "failed": 1, "not here": 1}


@pytest.mark.parametrize("wrong", [("--once",), ("--rfc",)])
def test_what_it_does_not_go_with(wrong: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nfmasq", "lab", "--neighbours", *wrong],
        check=False,
        env=python_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "--neighbours" in done.stderr


def test_rules_that_this_kernel_does_not_take_are_not_here(as_root: None) -> None:
    """Never a silent pass: the text has the program's own words."""
    with Namespace("router") as router:
        with pytest.raises(NotHere, match="no-such-match"):
            iptables(router, "-A FORWARD -m no-such-match -j ACCEPT")
        with pytest.raises(RuntimeError, match="syntax error"):
            nft(router, "table inet t { chain c { nothing of this name } }")
        with pytest.raises(NotHere, match="iptables-of-nobody is not installed"):
            iptables(router, "-L", program="iptables-of-nobody")


def test_packets_of_a_rule_are_counted_by_its_comment(as_root: None) -> None:
    with Namespace("router") as router:
        iptables(router, "-A OUTPUT -o lo -m comment --comment ours")
        router.run("ping", "-c", "2", "-i", "0.2", "127.0.0.1")
        assert packets_of(router, "filter", "ours") == 4
        with pytest.raises(RuntimeError, match="nobody"):
            packets_of(router, "filter", "nobody")


def test_nothing_of_a_visit_stays(as_root: None) -> None:
    """Namespaces have no name, and no interface of this machine is another one."""
    before = sorted(path.name for path in Path("/sys/class/net").iterdir())
    assert call_on(EVERY[6], "kernel").result == "ok"
    assert sorted(path.name for path in Path("/sys/class/net").iterdir()) == before

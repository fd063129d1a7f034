"""What deploy/quickstart says when it cannot go on, and how it edits the shipped configuration.

It runs here with a PATH that holds almost nothing, no apt-get above all: whatever it got wrong, it could not
change this machine.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
NEEDED = ("cat", "dirname", "readlink")
THERE = "lo"
OTHER = "other0"
MISSING = "nosuch0"


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    for name in NEEDED:
        program = shutil.which(name)
        assert program is not None
        (tmp_path / name).symlink_to(program)
    return str(tmp_path)


def quickstart(path: str, *options: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
    """Its exit code, and all it said."""
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [*before, bash, str(DEPLOY / "quickstart"), *options],
        env={"PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


def test_help_names_every_option(bare_path: str) -> None:
    code, said = quickstart(bare_path, "--help")
    assert code == 0
    for option in ("--internal", "--external", "--service", "--skip-packages"):
        assert option in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--frob"], "unknown option --frob"),
        (["frob"], "unknown option frob"),
        (["--internal"], "--internal wants the name of an interface"),
        (["--external", "--service"], "--external wants the name of an interface"),
        (["--internal="], "--internal wants the name of an interface"),
        (["--internal", THERE], "--external IF is missing"),
        (["--external", THERE], "--internal IF is missing"),
        (["--service"], "--external IF is missing"),
    ],
)
def test_a_wrong_option_gets_one_line_that_names_it(
    bare_path: str, options: list[str], complaint: str
) -> None:
    code, said = quickstart(bare_path, *options)
    assert (code, said) == (2, f"quickstart: {complaint} (--help says more)\n")


@pytest.mark.root
def test_a_missing_interface_is_named_with_those_there_are(bare_path: str) -> None:
    code, said = quickstart(bare_path, "--internal", THERE, f"--external={MISSING}")
    assert code == 1
    assert said.startswith(f"quickstart: there is no interface {MISSING}; this machine has: ")
    assert THERE in said.split()
    assert said.count("\n") == 1


@pytest.mark.root
def test_one_interface_cannot_be_both_sides(bare_path: str) -> None:
    code, said = quickstart(bare_path, "--internal", THERE, "--external", THERE)
    assert code == 1
    assert said == f"quickstart: {THERE} cannot be internal and external: name two interfaces\n"


@pytest.mark.root
def test_without_root_it_says_how_to_get_it(bare_path: str) -> None:
    unshare = shutil.which("unshare")
    assert unshare is not None
    # In a user namespace that maps nobody we are not root, and may still read the tree wherever it is.
    code, said = quickstart(bare_path, "--internal", THERE, "--external", OTHER, before=(unshare, "--user"))
    assert code == 1
    assert "root is needed" in said
    assert said.endswith(f"quickstart --internal {THERE} --external {OTHER}\n")
    assert said.count("\n") == 1


@pytest.mark.root
def test_without_apt_get_it_names_what_to_install_by_hand(bare_path: str) -> None:
    code, said = quickstart(bare_path)
    assert code == 1
    assert "apt-get is missing" in said
    assert "libnetfilter-queue-dev" in said
    assert "--skip-packages" in said
    assert said.count("\n") == 1


def test_the_shipped_config_has_each_key_that_quickstart_fills_in_once() -> None:
    shipped = (DEPLOY / "nfmasq.toml").read_text(encoding="utf-8")
    for key in ("internal", "external"):
        assert len(re.findall(rf"^{key} = ", shipped, re.MULTILINE)) == 1

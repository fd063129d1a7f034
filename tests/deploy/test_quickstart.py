"""What deploy/quickstart says when it cannot go on, and how it edits the shipped configuration.

It runs here with a PATH that holds almost nothing, no apt-get above all: whatever it got wrong, it could not
change this machine. It runs as a copy that anyone may read, for the tree may be in a private home.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
NEEDED = ("bash", "cat", "dirname", "readlink", "setpriv")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
THERE = "lo"
MISSING = "nosuch0"


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with the copy, and `bin` with what it may run."""
    with TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "bin").mkdir(mode=0o755)
        for program in NEEDED:
            found = shutil.which(program)
            assert found is not None
            (place / "bin" / program).symlink_to(found)
        for script in ("quickstart", "build-venv.sh"):
            shutil.copy(DEPLOY / script, place)
        yield place


def quickstart(place: Path, *options: str, user: tuple[str, ...] = ()) -> tuple[int, str]:
    """Its exit code, and all it said."""
    done = subprocess.run(
        [*user, "bash", str(place / "quickstart"), *options],
        env={"PATH": str(place / "bin")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout


def test_help_names_every_option(place: Path) -> None:
    code, said = quickstart(place, "--help")
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
def test_a_wrong_option_gets_one_line_that_names_it(place: Path, options: list[str], complaint: str) -> None:
    code, said = quickstart(place, *options)
    assert (code, said) == (2, f"quickstart: {complaint} (--help says more)\n")


@pytest.mark.root
def test_a_missing_interface_is_named_with_those_there_are(place: Path) -> None:
    code, said = quickstart(place, "--internal", THERE, f"--external={MISSING}")
    assert code == 1
    assert said.startswith(f"quickstart: there is no interface {MISSING}; this machine has: ")
    assert THERE in said.split()
    assert said.count("\n") == 1


@pytest.mark.root
def test_one_interface_cannot_be_both_sides(place: Path) -> None:
    code, said = quickstart(place, "--internal", THERE, "--external", THERE)
    assert code == 1
    assert said == f"quickstart: {THERE} cannot be internal and external: name two interfaces\n"


@pytest.mark.root
def test_without_root_it_says_how_to_get_it(place: Path) -> None:
    options = ("--internal", THERE, "--external", MISSING)
    code, said = quickstart(place, *options, user=NOBODY)
    assert code == 1
    assert "root is needed" in said
    assert said.endswith(f"sudo {place}/quickstart {' '.join(options)}\n")
    assert said.count("\n") == 1


@pytest.mark.root
def test_without_apt_get_it_names_what_to_install_by_hand(place: Path) -> None:
    code, said = quickstart(place)
    assert code == 1
    assert "apt-get is missing" in said
    assert "libnetfilter-queue-dev" in said
    assert "--skip-packages" in said
    assert said.count("\n") == 1


def test_the_shipped_config_has_each_key_that_quickstart_fills_in_once() -> None:
    shipped = (DEPLOY / "nfmasq.toml").read_text(encoding="utf-8")
    for key in ("internal", "external"):
        assert len(re.findall(rf"^{key} = ", shipped, re.MULTILINE)) == 1

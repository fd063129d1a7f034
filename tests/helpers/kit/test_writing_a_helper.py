"""docs/writing-a-helper.md, followed to the letter: its files written, its commands run."""

import os
import re
import site
import subprocess
import sys
from pathlib import Path

import pytest

from nfmasq.lab.programs import python_environment

PAGE = Path(__file__).parents[3] / "docs" / "writing-a-helper.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILES = re.findall(r"`([\w.]+)`[^`]*?:\n\n```\w+\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = re.findall(r"^    ((?:PYTHONPATH=\. )?python .*)$", TEXT, re.MULTILINE)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's directory, with all the files of the page."""
    made = tmp_path_factory.mktemp("reader")
    for name, text in FILES:
        (made / name).write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A Python to install into that is not the one the tests run in, and has all that this one has."""
    venv = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    ours = python_environment()
    paths = [ours["PYTHONPATH"], *site.getsitepackages()]
    return {
        **ours,
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(paths),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def test_the_page_has_what_is_followed_here() -> None:
    """Or nothing below would prove anything."""
    assert [name for name, _ in FILES] == ["nfmasq_can.py", "test_can.py", "pyproject.toml", "lab_can.py"]
    assert len(COMMANDS) == 5


@pytest.mark.root
@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_every_command_does_what_the_page_says(number: int, place: Path, environment: dict[str, str]) -> None:
    """In order: each builds on those before it."""
    command = COMMANDS[number].replace("PYTHONPATH=.", 'PYTHONPATH="$PYTHONPATH:."')
    done = subprocess.run(
        command,
        shell=True,
        cwd=place,
        env=environment,
        text=True,
        capture_output=True,
        timeout=200,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    if "trial" in command:
        assert said.count("ok  ") == len(said.splitlines()), said
    if "lab_can" in command:
        assert "say TIN 1 and CAN 203.0.113.2:" in said
        assert "the client hears: hello from outside" in said
        assert re.search(r"^can\b", said, re.MULTILINE), said


def test_the_helper_fits_on_a_page() -> None:
    """Some forty lines that do something."""
    lines = [line for line in dict(FILES)["nfmasq_can.py"].splitlines() if line.strip()]
    assert len(lines) < 70

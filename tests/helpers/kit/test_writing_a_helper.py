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
FILE = re.compile(r"`([\w.]+)`[^`]*?:\n\n```\w+\n(.*?)```", re.DOTALL)
COMMAND = re.compile(r"^    ((?:PYTHONPATH=\. )?python .*)$", re.MULTILINE)
FILES = [(each.start(), each[1], each[2]) for each in FILE.finditer(TEXT)]
COMMANDS = [(each.start(), each[1]) for each in COMMAND.finditer(TEXT)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's directory."""
    return tmp_path_factory.mktemp("reader")


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
    of_each = ["nfmasq_{}.py", "test_{}.py", "pyproject.toml", "lab_{}.py"]
    assert [name for _, name, _ in FILES] == [
        each.format(name) for name in ("can", "walkie") for each in of_each
    ]
    assert len(COMMANDS) == 9


@pytest.mark.root
@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_every_command_does_what_the_page_says(number: int, place: Path, environment: dict[str, str]) -> None:
    """In order: each builds on those before it, and on the files that the page has named so far."""
    at, command = COMMANDS[number]
    for here, name, text in FILES:
        if here < at:
            (place / name).write_text(text, encoding="utf-8")
    command = command.replace("PYTHONPATH=.", 'PYTHONPATH="$PYTHONPATH:."')
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
    if "nfmasq.helpers" in command:
        assert said.count("ok  ") == len(said.splitlines()), said
    if "lab_can" in command:
        assert "say TIN 1 and CAN 203.0.113.2:" in said
        assert "the client hears: hello from outside" in said
        assert re.search(r"^can\b", said, re.MULTILINE), said
    if "lab_walkie" in command:
        seen = re.search(
            r"the server sees (\d+) bytes behind the length (\d+) and 203\.0\.113\.2:(\d+)$", said, re.M
        )
        assert seen, said
        assert (seen[1], int(seen[3]) % 2) == (seen[2], 0)
        assert "the client hears: sound and report" in said
        assert re.search(r"^walkie\b", said, re.MULTILINE), said


@pytest.mark.parametrize("name", ["nfmasq_can.py", "nfmasq_walkie.py"])
def test_the_helper_fits_on_a_page(name: str) -> None:
    """Some forty lines that do something."""
    (text,) = (text for _, each, text in FILES if each == name)
    assert len([line for line in text.splitlines() if line.strip()]) < 70

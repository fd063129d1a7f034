"""Console sessions of the pages, as they are written and as they come out.

A fenced block of the language `console` is a session. A line that begins with a prompt is a command. The
lines up to the next prompt are its output, errors included. The prompt says where the command runs:

    $           on this machine
    router#     on the router of a lab, with nfmasq on it
    client$     on the lab's first client, 192.168.1.10
    server$     on its first server, 203.0.113.10

`…` stands for any text within a line, a line of `…` alone for any lines, two spaces or more for as many.
A block with a name after its language is a file of that name, in the directory where the page's commands run.
One named `nfmasq.toml` is laid over the configuration of the daemon. The blocks of a page run in turn.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from docs.pages import ROOT, Block, blocks
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.programs import python_environment
from nfmasq.lab.tour import FAR_MTU

_PROMPT = re.compile(r"^(\$|router#|client\$|server\$) ", re.MULTILINE)

ASKING = "status|sessions|mappings|hosts|helpers|forwards|drops|top|flush|reload|withdraw"
"""Commands that ask the daemon: of the lab's one here, wherever its socket is."""

PRELUDE = """
nfmasq() {{
    case ${{1-}} in
        ({asking}) {python} -m nfmasq "$@" --socket "{socket}" ;;
        (*) {python} -m nfmasq "$@" ;;
    esac
}}
sudo() {{ "$@"; }}
"""

STANDS_FOR = {"sudo deploy/quickstart": "nfmasq lab --once"}
"""The last thing quickstart does. What it installs before is tested in tests/deploy."""


class Command(NamedTuple):
    """A command with the output the page shows."""

    prompt: str
    text: str
    shown: str


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    parts = _PROMPT.split(block.text)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [Command(prompt, *text.partition("\n")[::2]) for prompt, text in pairs]


def matches(shown: str, came: str) -> bool:
    """Does the output that came look like what the page shows?"""
    pattern = "".join(_pattern(line) for line in shown.rstrip("\n").splitlines())
    lines = "".join(f"{line.rstrip()}\n" for line in came.splitlines())
    return re.fullmatch(pattern, lines) is not None


def _pattern(line: str) -> str:
    if line.strip() == "…":
        return r"(?:.*\n)*?"
    parts = re.split(r"(…| {2,})", line.rstrip())
    return (
        "".join(".*?" if part == "…" else " +" if part.isspace() else re.escape(part) for part in parts)
        + r"\n"
    )


class Stage:
    """Where the commands of one page run: its directory, and the lab if a prompt asks for one."""

    def __init__(self, page: Path, place: Path, lab: Lab | None) -> None:
        self._place = place
        self._lab = lab
        self._words = {} if lab is None or lab.daemon is None else {
            "/etc/nfmasq/nfmasq.toml": str(lab.daemon.config_path),
            "/run/nfmasq": str(lab.daemon.socket_path.parent),
        }  # fmt: skip
        for block in blocks(page):
            if block.words and block.language != "console":
                (place / block.words[0]).write_text(block.text, encoding="utf-8")

    def run(self, command: Command) -> str:
        """What a command prints, with the paths an installed router would show."""
        text = STANDS_FOR.get(command.text, command.text)
        for installed, here in self._words.items():
            text = text.replace(installed, here)
        socket = self._words.get("/run/nfmasq", "/run/nfmasq") + "/control.sock"
        prelude = PRELUDE.format(asking=ASKING, python=sys.executable, socket=socket)
        how = {"cwd": self._place, "env": python_environment(), "stdin": subprocess.DEVNULL}
        came = self._run(self._where(command.prompt), ["bash", "-c", prelude + text], how)
        for installed, here in self._words.items():
            came = came.replace(here, installed)
        return came.replace(str(ROOT), "…")

    @staticmethod
    def _run(where: Namespace | None, words: list[str], how: dict[str, Any]) -> str:
        if where is not None:
            return where.run(*words, check=False, **how)
        done: subprocess.CompletedProcess[str] = subprocess.run(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False, **how
        )
        return done.stdout

    def _where(self, prompt: str) -> Namespace | None:
        if self._lab is None:
            return None
        there = self._lab.topology
        return {"router#": there.router, "client$": there.client1, "server$": there.server1}.get(prompt)


def lab_for(page: Path) -> Lab | None:
    """The lab that a page's prompts ask for, with the configuration the page shows."""
    prompts = {command.prompt for block in consoles(page) for command in commands(block)}
    if prompts <= {"$"}:
        return None
    shown = [block.text for block in blocks(page) if block.words[:1] == ("nfmasq.toml",)]
    return Lab(config=tomllib.loads("\n".join(shown)), far_mtu=FAR_MTU)


def consoles(page: Path) -> list[Block]:
    """The console sessions of a page."""
    return [block for block in blocks(page) if block.language == "console"]

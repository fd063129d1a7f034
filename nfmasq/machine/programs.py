"""The system's own network programs (nft, iptables, ip), run with their answers read as data."""

import os
import shutil
import subprocess
from dataclasses import dataclass

_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS = 30


@dataclass(frozen=True)
class Outcome:
    """How a program ended. `complaint` is the line of its error output that says what was wrong."""

    code: int
    output: str
    errors: str

    @property
    def good(self) -> bool:
        return self.code == 0

    @property
    def complaint(self) -> str:
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        telling = [line for line in lines if "rror" in line or "denied" in line or "not permitted" in line]
        return (telling or lines or [f"ended with code {self.code}"])[0]

    @property
    def not_permitted(self) -> bool:
        return "not permitted" in self.errors or "ermission denied" in self.errors


def search_path() -> str:
    """Where programs are looked for: a service's PATH may lack the system's directories."""
    return os.pathsep.join(filter(None, (os.environ.get("PATH", ""), _SYSTEM_PATH)))


def run(*command: str, script: str = "") -> Outcome:
    """Run a program of the system with `script` as its input.

    A program that is missing or hangs is an Outcome too (codes 127 and 124), not an exception.
    """
    program = shutil.which(command[0], path=search_path())
    if program is None:
        return Outcome(127, "", f"the program {command[0]} is not installed")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            input=script,
            capture_output=True,
            text=True,
            errors="surrogateescape",  # others' rules may have comments in any encoding
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        return Outcome(124, "", f"the program {command[0]} did not end within {_SECONDS} seconds")
    return Outcome(done.returncode, done.stdout, done.stderr)


NEEDS_PRIVILEGE = "changing rules needs CAP_NET_ADMIN; run as root, or give the service that capability"

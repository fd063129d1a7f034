"""Helpers of others: packages as pip leaves them, in a directory of their own."""

import sys
from pathlib import Path

from nfmasq.helpers import registry

TELEPHONE = """
from nfmasq.helpers.kit.base import Reading


class Telephone:
    name = "telephone"
    transport = "udp"
    ports = (5999, 6001)
    enabled_by_default = False
    about = "A made-up protocol"

    def __init__(
        self, *, loud: bool = False, rings: int = 3, greeting: str = "hello", lines: tuple[int, ...] = ()
    ):
        if rings > 9:
            raise ValueError("nobody waits for more than 9 rings")
        self.loud = loud

    def begin(self, session):
        return self

    def read(self, side, data):
        return Reading(len(data))
"""


def install(where: Path, name: str, source: str, place: str) -> None:
    """Leave a module in `where` and an entry point of the helper `name` that points to `place` in it."""
    package = f"{name}_helper"
    information = where / f"{package}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[nfmasq.helpers]\n{name} = {package}:{place}\n")
    (where / f"{package}.py").write_text(source)


def forget() -> None:
    """Have the next look find what is installed then."""
    for module in [name for name in sys.modules if name.endswith("_helper")]:
        del sys.modules[module]
    registry.forget()


def install_telephone(where: Path) -> None:
    """A helper with options of several kinds, off by default, for udp 5999 and 6001."""
    install(where, "telephone", TELEPHONE, "Telephone")


def install_broken(where: Path) -> None:
    """One that cannot be imported."""
    install(where, "broken", "import nothing_of_this_name\n", "Broken")

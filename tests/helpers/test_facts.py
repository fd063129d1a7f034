"""A helper of the tree that is disabled is not imported to be listed."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from nfmasq.helpers import facts, protocols, registry
from nfmasq.helpers.kit.listener import Listener

KIND = '''
class Kind:
    """A helper."""
    name = "kind"
    transport = ("tcp", "udp")
    ports: tuple[int, ...] = (7300, 7301)
    enabled_by_default = False
    about = "made up"
'''
AS_READ = facts.Facts("kind", ("tcp", "udp"), (7300, 7301), False, "made up")


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> facts.Facts | None:
    """Read the facts of a module with this source."""
    monkeypatch.syspath_prepend(tmp_path)

    def of(source: str) -> facts.Facts | None:
        (tmp_path / "made_up_protocol.py").write_text(source, encoding="utf-8")
        return facts.read("made_up_protocol")

    return of  # type: ignore[return-value]


def test_plain_values_are_read(read: facts.Facts) -> None:
    assert read(KIND + "HELPER = Kind\n") == AS_READ  # type: ignore[operator]
    assert read(KIND + "    def __init__(self, *, strict: bool = False): ...\nHELPER = Kind\n") == AS_READ  # type: ignore[operator]
    assert "made_up_protocol" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        KIND,
        KIND + "HELPER = Other\n",
        KIND + "    def __init__(self, strict: bool = False): ...\nHELPER = Kind\n",
        KIND + "    def __init__(self, *, strict: bool): ...\nHELPER = Kind\n",
        KIND.replace("Kind:", "Kind(Base):") + "HELPER = Kind\n",
        KIND.replace("(7300, 7301)", "(PORT,)") + "HELPER = Kind\n",
        KIND.replace("    about", "    about_it") + "HELPER = Kind\n",
        "class :",
    ],
)
def test_where_only_the_module_can_tell_nothing_is_read(read: facts.Facts, source: str) -> None:
    assert read(source) is None  # type: ignore[operator]


def test_of_no_module_nothing_is_read() -> None:
    assert facts.read("nfmasq.helpers.protocols.nobody") is None


@pytest.mark.parametrize("name", protocols.NAMES)
def test_what_is_read_is_what_the_helper_says(name: str) -> None:
    told = registry.facts(name)
    if told is not None:
        kind = registry.kind(name)()
        assert asdict(told) == {each: getattr(kind, each) for each in asdict(told)}


def test_a_helper_that_is_not_loaded_begins_no_dialogue() -> None:
    with pytest.raises(AssertionError, match="is not loaded"):
        Listener(AS_READ, inside_began=True)


def test_the_daemon_s_switchboard_imports_only_what_is_enabled() -> None:
    """And a helper that is enabled later is imported then."""
    program = """
import sys
from nfmasq.config import parse, warnings_of
from nfmasq.runtime.helpers import Switchboard
def loaded():
    begin = "nfmasq.helpers.protocols."
    return sorted({each.removeprefix(begin).split(".")[0] for each in sys.modules if each.startswith(begin)})
config = parse({"nat": {"internal": ["lan0"], "external": "wan0"}})
warnings_of(config)
board = Switchboard(config)
print(loaded(), {"ftp", "irc"} <= set(board.entries))
board.set_enabled("irc", True, None)
print(loaded(), board.entries["irc"].helper.begin.__qualname__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "['ftp'] True\n['ftp', 'irc'] Irc.begin\n", done.stderr

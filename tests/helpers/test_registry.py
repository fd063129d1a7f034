"""Which helpers there are, and what is said of those that cannot be used."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.others import TELEPHONE, forget, install

from nfmasq.helpers import protocols, registry

Install = Callable[[str], str]


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install this source as the helper "telephone"; why it cannot be used."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def why(source: str) -> str:
        install(tmp_path, "telephone", source, "Telephone")
        forget()
        with pytest.raises(registry.Unusable) as unusable:
            registry.kind("telephone")
        return str(unusable.value)

    yield why
    monkeypatch.undo()
    forget()


def test_those_of_nfmasq_come_first() -> None:
    own = protocols.NAMES
    assert tuple(registry.installed())[: len(own)] == own
    assert [registry.number(name) for name in own] == list(range(1, len(own) + 1))


@pytest.mark.parametrize(
    ("there", "instead", "told"),
    [
        ('    about = "A made-up protocol"\n', "", "cannot be used: it has no about"),
        ('name = "telephone"', 'name = "fax"', "cannot be used: it calls itself 'fax'"),
        ('"udp"', '"sctp"', "cannot be used: its transport is 'sctp', neither tcp nor udp"),
        ("(5999, 6001)", "(70000,)", "cannot be used: its ports are (70000,); they must be 1 to 65535"),
        ("loud: bool = False", "loud: bool", "cannot be loaded: TypeError: "),
        ("class Telephone", "class Telegraph", "cannot be loaded: AttributeError: "),
        (
            "class Telephone",
            'raise SystemError("a\\nb")\nclass Telephone',
            "cannot be loaded: SystemError: a b",
        ),
    ],
)
def test_what_is_no_helper_is_told_in_a_line(refused: Install, there: str, instead: str, told: str) -> None:
    assert there in TELEPHONE
    said = refused(TELEPHONE.replace(there, instead))
    assert said.startswith(told)
    assert said.isprintable()


def test_what_failed_once_is_not_tried_again(refused: Install, tmp_path: Path) -> None:
    count = tmp_path / "count"
    refused(f"open({str(count)!r}, 'a').write('once')\nraise OSError")
    with pytest.raises(registry.Unusable):
        registry.kind("telephone")
    assert count.read_text() == "once"


def test_a_name_of_nfmasqs_own_cannot_be_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "ftp", TELEPHONE, "Telephone")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()
    assert registry.kind("ftp").__module__ == "nfmasq.helpers.protocols.ftp"
    monkeypatch.undo()
    forget()

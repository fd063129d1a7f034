"""The forwards of a daemon: the configuration's, those added, those kept in a file."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.behind import CLIENT, EXTERNAL, INTERNAL, OTHER_CLIENT, forwarding

from nfmasq.config import ConfigInvalid
from nfmasq.machine.interfaces import Uplink
from nfmasq.runtime.forwards import CONFIG, KEPT, RUNTIME, ForwardRefused, Forwards, NoSuchForward

UPLINK = Uplink((EXTERNAL,), (INTERNAL,))


def tcp(port: int | str, **keys: Any) -> dict[str, Any]:
    """A TCP port led to CLIENT."""
    return {"protocol": "tcp", "external_port": str(port), "to": [str(CLIENT)], **keys}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where kept forwards are; nothing is there yet, not even the directory."""
    return tmp_path / "lib" / "forwards.json"


def entries(forwards: Forwards) -> dict[str, str]:
    """Where each comes from, by id."""
    return {entry.forward.id: entry.source for entry in forwards.entries}


def write(kept: Path, *tables: Any) -> bytes:
    """Make the file hold these tables, and return its bytes."""
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps({"schema": 1, "forwards": tables}))
    return kept.read_bytes()


def test_those_of_the_configuration_come_before_those_added(kept: Path) -> None:
    forwards = Forwards(forwarding(tcp(80), kept=kept))
    forwards.add(tcp(81), persist=False)
    forwards.add(tcp(82), persist=True)
    assert list(entries(forwards).items()) == [("tcp-80", CONFIG), ("tcp-81", RUNTIME), ("tcp-82", KEPT)]
    assert [forward.ports for forward in forwards.policy()] == [(80, 80), (81, 81), (82, 82)]


def test_after_a_restart_only_those_kept_are_there(kept: Path) -> None:
    forwards = Forwards(forwarding(kept=kept))
    forwards.add(tcp(81), persist=False)
    assert not kept.exists()
    forwards.add(tcp("82-89", to=[f"{CLIENT}:8082-8089", str(OTHER_CLIENT)]), persist=True)
    forwards.add({"to": str(CLIENT)}, persist=True)
    again = Forwards(forwarding(kept=kept))
    assert entries(again) == {"tcp-82-89": KEPT, "any": KEPT}
    assert again.warnings == []
    assert [entry for entry in forwards.entries if entry.source == KEPT] == list(again.entries)


def test_one_removed_does_not_come_back(kept: Path) -> None:
    forwards = Forwards(forwarding(kept=kept))
    forwards.add(tcp(81), persist=True)
    forwards.add(tcp(82), persist=True)
    assert forwards.remove("tcp-81").source == KEPT
    assert entries(Forwards(forwarding(kept=kept))) == {"tcp-82": KEPT}


def test_one_added_can_be_kept_later_and_nothing_else_changes(kept: Path) -> None:
    forwards = Forwards(forwarding(kept=kept))
    _, changed = forwards.add(tcp(81), persist=False)
    assert changed
    entry, changed = forwards.add(tcp(81), persist=True)
    assert (entry.source, changed) == (KEPT, False)
    assert entries(Forwards(forwarding(kept=kept))) == {"tcp-81": KEPT}
    for persist in (False, True):
        with pytest.raises(ConfigInvalid, match="tcp 81 is forwarded already, by tcp-81; take one out"):
            forwards.add(tcp(81), persist)


def test_what_clashes_or_is_no_internal_host_is_refused_and_nothing_changes(kept: Path) -> None:
    forwards = Forwards(forwarding(tcp("80-89"), kept=kept))
    with pytest.raises(ConfigInvalid, match="tcp 85-89 is forwarded already, by tcp-80-89"):
        forwards.add(tcp("85-99"), persist=True)
    with pytest.raises(ConfigInvalid, match=f"^to: {EXTERNAL} is an external address"):
        forwards.add(tcp(99, to=str(EXTERNAL)), True, UPLINK.external)
    assert entries(forwards) == {"tcp-80-89": CONFIG}
    assert not kept.exists()
    forwards.add(tcp(85), persist=False)  # narrower, inside


def test_only_what_was_added_can_be_removed(kept: Path) -> None:
    forwards = Forwards(forwarding(tcp(80), kept=kept))
    with pytest.raises(NoSuchForward, match="there is no forward tcp-81; `nfmasq forwards` lists them"):
        forwards.remove("tcp-81")
    with pytest.raises(ForwardRefused, match="tcp-80 is in the configuration; take it out there"):
        forwards.remove("tcp-80")
    assert entries(forwards) == {"tcp-80": CONFIG}


def test_a_file_that_cannot_be_written_refuses_what_should_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    forwards = Forwards(forwarding(kept=tmp_path / "file" / "forwards.json"))
    with pytest.raises(ForwardRefused, match=r"cannot be written: .*; correct that, set engine\.forwards"):
        forwards.add(tcp(80), persist=True)
    assert entries(forwards) == {}
    forwards.add(tcp(80), persist=False)


def test_a_reload_keeps_what_was_added_and_the_configuration_wins(kept: Path) -> None:
    forwards = Forwards(forwarding(tcp(80), kept=kept))
    forwards.add(tcp(81), persist=False)
    forwards.add(tcp(82), persist=True)
    assert forwards.adopt(forwarding(tcp(83), kept=kept)) == []
    assert entries(forwards) == {"tcp-83": CONFIG, "tcp-81": RUNTIME, "tcp-82": KEPT}
    (told,) = forwards.adopt(forwarding(tcp("80-82"), tcp(82, to=str(OTHER_CLIENT)), kept=kept))
    assert told == (
        "forward tcp-82, kept, gives way to the configuration: "
        "tcp 82 is forwarded already, by tcp-82; take one out"
    )
    assert entries(forwards) == {"tcp-80-82": CONFIG, "tcp-82": CONFIG, "tcp-81": RUNTIME}
    assert entries(Forwards(forwarding(kept=kept))) == {}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is not good JSON"),
        (b'{"schema": 1, "forwards": [{"proto', "it is not good JSON"),
        (b"\xff\xfe\x00", "it is not good JSON"),
        (b"[" * 100_000, "it is not good JSON"),
        (b"[]", 'it has no "schema": 1'),
        (b'{"schema": 2, "forwards": []}', 'it has no "schema": 1'),
        (b'{"schema": 1, "forwards": {}}', 'it has no list "forwards"'),
        (b" " * ((1 << 22) + 1), "it is larger than 4194304 bytes"),
    ],
)
def test_a_damaged_file_is_one_warning_and_a_copy(kept: Path, content: bytes, why: str) -> None:
    kept.parent.mkdir()
    kept.write_bytes(content)
    forwards = Forwards(forwarding(tcp(80), kept=kept))
    copy = kept.with_name("forwards.json.damaged")
    assert forwards.warnings == [
        f"the kept forwards in {kept} are given up: {why}; a copy is in {copy}",
    ]
    assert entries(forwards) == {"tcp-80": CONFIG}
    forwards.add(tcp(81), persist=True)
    assert entries(Forwards(forwarding(kept=kept))) == {"tcp-81": KEPT}
    assert copy.read_bytes() == content


def test_of_a_file_with_wrong_entries_the_good_ones_are_taken(kept: Path) -> None:
    written = write(kept, tcp(81), tcp(0), 5, {"to": "x"}, tcp(82), tcp(81))
    forwards = Forwards(forwarding(kept=kept))
    assert entries(forwards) == {"tcp-81": KEPT, "tcp-82": KEPT}
    clash, wrong = forwards.warnings
    assert "forward tcp-81, kept, gives way" in clash
    assert f"3 of 6 kept forwards in {kept} are given up: forwards[1].external_port: " in wrong
    assert kept.with_name("forwards.json.damaged").read_bytes() == written


def test_a_kept_forward_that_clashes_with_the_configuration_gives_way(kept: Path) -> None:
    write(kept, tcp(80, to=str(OTHER_CLIENT)), tcp(81))
    forwards = Forwards(forwarding(tcp(80), kept=kept))
    assert entries(forwards) == {"tcp-80": CONFIG, "tcp-81": KEPT}
    (told,) = forwards.warnings
    assert told.startswith("forward tcp-80, kept, gives way to the configuration: ")


def test_a_target_or_an_address_that_is_not_there_is_told(kept: Path) -> None:
    forwards = Forwards(forwarding(tcp(80), tcp(81, to="10.9.9.9"), kept=kept))
    assert forwards.problems(UPLINK) == ["forward tcp-81: 10.9.9.9 is in no internal network"]
    assert forwards.problems(Uplink((), ())) == []
    forwards.add(tcp(82, external_address="203.0.113.9"), persist=False)
    assert forwards.problems(UPLINK)[1] == (
        "forward 203.0.113.9-tcp-82: there is no external address 203.0.113.9; it waits for it"
    )

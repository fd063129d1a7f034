"""The list of interfaces that do not forward: it is there whole, or as it was before."""

import logging
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfmasq.diversion.forwarding_memory import ForwardingMemory

pytestmark = pytest.mark.root

INSIDE = {3: "lan0", 5: "lan1"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The place of the file."""
    return tmp_path / "state.forwarding"


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """The place of the file, on a file system with room for one page."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", tmp_path], check=True)
    yield tmp_path / "state.forwarding"
    subprocess.run(["umount", tmp_path], check=True)


def test_the_next_process_reads_what_was_listed(place: Path) -> None:
    ForwardingMemory(place).write(INSIDE)
    memory = ForwardingMemory(place)
    assert memory.read() == INSIDE
    memory.write({5: "lan1"})
    assert ForwardingMemory(place).read() == {5: "lan1"}
    memory.write({})
    assert list(place.parent.iterdir()) == []


def test_another_list_takes_the_place_of_the_one_before_which_is_never_changed(place: Path) -> None:
    memory = ForwardingMemory(place)
    memory.write(INSIDE)
    before = place.with_name("before")
    before.hardlink_to(place)
    memory.write({5: "lan1"})
    assert "lan0" in before.read_text()
    assert "lan0" not in place.read_text()


def test_the_same_list_is_not_written_again(place: Path) -> None:
    memory = ForwardingMemory(place)
    memory.write(INSIDE)
    written = place.stat()
    memory.write(INSIDE)
    assert (place.stat().st_ino, place.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_on_a_full_file_system_the_list_of_before_stays(full: Path, caplog: pytest.LogCaptureFixture) -> None:
    memory = ForwardingMemory(full)
    memory.write(INSIDE)
    with caplog.at_level(logging.WARNING, "nfmasq"):
        for _ in range(2):
            memory.write({5: "lan1"})
    assert memory.read() == INSIDE
    assert [each.name for each in full.parent.iterdir()] == [full.name]
    (told,) = caplog.messages
    assert "No space left on device" in told
    memory.write({})
    assert not full.exists()
    memory.write(INSIDE)
    assert memory.read() == INSIDE


@pytest.mark.parametrize(
    "content", ["", "interfaces whose forw", "interfaces whose forwarding nfmasq disabled\n"]
)
def test_a_file_whose_writing_was_cut_short_is_taken_over(place: Path, content: str) -> None:
    place.write_text(content)
    memory = ForwardingMemory(place)
    assert memory.read() == {}
    memory.write(INSIDE)
    assert memory.read() == INSIDE
    place.write_text(content)
    memory.write({})
    assert not place.exists()


def test_what_a_killed_process_was_writing_is_in_nobody_s_way(place: Path) -> None:
    place.with_name(f"{place.name}.new").write_text("interfaces whose")
    ForwardingMemory(place).write(INSIDE)
    assert ForwardingMemory(place).read() == INSIDE
    assert [each.name for each in place.parent.iterdir()] == [place.name]


@pytest.mark.parametrize("line", ["9" * 5000 + " lan0", "x lan0", "-1 lan0", ""])
def test_a_damaged_line_is_skipped(place: Path, line: str) -> None:
    memory = ForwardingMemory(place)
    memory.write(INSIDE)
    place.write_text(f"{place.read_text()}{line}\n7 lan2\n")
    assert memory.read() == INSIDE | {7: "lan2"}


def test_a_file_of_another_program_is_named_once_and_left_alone(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place.write_text("precious\n")
    memory = ForwardingMemory(place)
    with caplog.at_level(logging.WARNING, "nfmasq"):
        for written in (INSIDE, {5: "lan1"}, {}):
            memory.write(written)
    assert memory.read() == {}
    assert place.read_text() == "precious\n"
    assert caplog.messages == [
        f"{place} cannot be written (another program's file is there, move it away): "
        "a kill now leaves forwarding off"
    ]


@pytest.mark.parametrize("make", ["file", "link", "directory"])
def test_what_another_program_has_put_where_the_file_is_made_stays(
    place: Path, caplog: pytest.LogCaptureFixture, make: str
) -> None:
    new = place.with_name(f"{place.name}.new")
    precious = place.with_name("precious")
    precious.write_text("interfaces whose", encoding="utf-8")
    if make == "file":
        new.write_text("precious\n", encoding="utf-8")
    elif make == "link":
        new.symlink_to(precious)
    else:
        new.mkdir()
    before = new.lstat()
    memory = ForwardingMemory(place)
    with caplog.at_level(logging.WARNING, "nfmasq"):
        memory.write(INSIDE)
    assert memory.read() == {}
    assert new.lstat().st_ino == before.st_ino
    assert precious.read_text(encoding="utf-8") == "interfaces whose"
    (message,) = caplog.messages
    assert f"{new} is in the way" in message


def test_a_file_of_another_user_is_left_alone(place: Path) -> None:
    memory = ForwardingMemory(place)
    memory.write(INSIDE)
    os.chown(place, 65534, 65534)
    memory.write({5: "lan1"})
    assert memory.read() == {}
    assert place.stat().st_uid == 65534
    assert "lan0" in place.read_text()

"""How much memory may still be taken, as the kernel tells it."""

from pathlib import Path

import pytest

from nfmasq.machine import memory

MIB = 1 << 20


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The control group of this process, without a limit, on a machine with 1 GiB available."""
    (tmp_path / "meminfo").write_text(f"MemTotal: {1 << 22} kB\nMemAvailable: {1 << 20} kB\n")
    (tmp_path / "own").write_text("0::/system.slice/nfmasq.service\n")
    place = tmp_path / "groups/system.slice/nfmasq.service"
    place.mkdir(parents=True)
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    return place


def limit(group: Path, most: object, used: int, cached: int = 0) -> None:
    """Let the group have this limit and this use."""
    (group / "memory.max").write_text(f"{most}\n")
    (group / "memory.current").write_text(f"{used}\n")
    (group / "memory.stat").write_text(f"anon 1\ninactive_file {cached}\n")


def test_without_a_limit_it_is_what_the_machine_has(group: Path) -> None:
    assert memory.available() == 1 << 30
    limit(group, "max", 5 * MIB)
    assert memory.available() == 1 << 30


def test_the_group_s_limit_counts_less_what_is_used_but_for_the_page_cache(group: Path) -> None:
    limit(group, 100 * MIB, 70 * MIB, 10 * MIB)
    assert memory.available() == 40 * MIB
    limit(group, 100 * MIB, 120 * MIB)
    assert memory.available() == 0


def test_the_limit_of_a_group_above_counts_too(group: Path) -> None:
    limit(group, "max", 70 * MIB)
    limit(group.parent, 100 * MIB, 80 * MIB)
    assert memory.available() == 20 * MIB


def test_a_limit_of_version_1_counts(group: Path, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("5:cpu,memory:/nfmasq\n")
    place = tmp_path / "groups/memory/nfmasq"
    place.mkdir(parents=True)
    (place / "memory.limit_in_bytes").write_text(f"{64 * MIB}\n")
    (place / "memory.usage_in_bytes").write_text(f"{60 * MIB}\n")
    assert memory.available() == 4 * MIB


def test_where_nothing_is_told_nothing_is_known(group: Path, tmp_path: Path) -> None:
    (tmp_path / "meminfo").unlink()
    assert memory.available() is None
    assert not list(group.iterdir())


def test_this_machine_has_some() -> None:
    there = memory.available()
    assert there is not None
    assert there > MIB

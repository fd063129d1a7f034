"""The file of kept forwards: written as a whole, read with suspicion."""

from pathlib import Path

import pytest
from support.behind import CLIENT, forwarding

from nfmasq.runtime import kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is to be; its folder is missing."""
    return tmp_path / "lib" / "forwards.json"


def write(path: Path, port: int) -> None:
    """Keep a forward of this TCP port."""
    table = {"protocol": "tcp", "external_port": str(port), "to": [str(CLIENT)]}
    kept.write(path, forwarding(table).forward)


def test_a_file_is_read_as_it_was_written(path: Path) -> None:
    assert kept.read(path) == []
    write(path, 80)
    (table,) = kept.read(path)
    assert (table["protocol"], str(table["external_port"])) == ("tcp", "80")
    assert [each.name for each in path.parent.iterdir()] == [path.name], "nothing else stays"


def test_a_write_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    write(path, 80)
    before = path.read_bytes()
    path.with_name(f"{path.name}.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(path, 81)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "not good JSON"),
        (b"[" * 100_000, "not good JSON"),
        (b"[]", "schema"),
        (b'{"schema": 2, "forwards": []}', "schema"),
        (b'{"schema": 1, "forwards": {}}', "no list"),
        (b" " * (kept.LARGEST + 1), "larger than"),
    ],
)
def test_a_damaged_file_is_told_with_its_reason(path: Path, content: bytes, why: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(kept.Damaged, match=why):
        kept.read(path)
    assert kept.copy_damaged(path).read_bytes() == content

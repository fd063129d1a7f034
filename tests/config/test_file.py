"""From a file to a configuration, or to one clear error."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.documents import unhurried
from nfmasq.config import Config, ConfigError, ConfigInvalid, load
from nfmasq.config.file import LARGEST_FILE

GOOD = '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "nfmasq.toml"


def error_of(file: Path) -> ConfigError:
    with pytest.raises(ConfigInvalid) as caught:
        load(file)
    (error,) = caught.value.errors
    assert str(caught.value) == f"{error.key}: {error.reason}"
    return error


def test_a_good_file_is_loaded(file: Path) -> None:
    file.write_text(GOOD)
    assert load(file).nat.external == ["wan0"]


def test_a_missing_file_says_where_to_get_one(file: Path) -> None:
    assert error_of(file) == ConfigError(
        str(file), "No such file or directory; copy deploy/nfmasq.toml there, or name another file"
    )


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert error_of(tmp_path) == ConfigError(str(tmp_path), "Is a directory")


def test_a_mistake_in_toml_is_told_with_its_line(file: Path) -> None:
    file.write_text(GOOD + "ports = 1024-32767\n")
    assert "is not good TOML" in error_of(file).reason
    assert "at line 4" in error_of(file).reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'a = "\xff"', "is not UTF-8 text at byte 5; save it as UTF-8"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "lists or tables are nested too deeply"),
        (b"a = " + b"9" * 5000, "holds a number or date that is out of all bounds"),
        (b"#" * (LARGEST_FILE + 1), f"is larger than {LARGEST_FILE} bytes; is it a configuration?"),
    ],
    ids=["encoding", "nesting", "number", "size"],
)
def test_a_file_that_is_hardly_a_configuration_is_one_error(file: Path, content: bytes, reason: str) -> None:
    file.write_bytes(content)
    assert error_of(file) == ConfigError(str(file), reason)


def test_a_number_python_would_not_print_is_an_error_like_others(file: Path) -> None:
    file.write_text(GOOD + "[timeouts]\nudp = 0x" + "f" * 5000)
    assert error_of(file) == ConfigError("timeouts.udp", "must be 1 second to 365 days, not a huge number")


@unhurried
@given(st.one_of(st.binary(), st.text().map(str.encode), st.text("[]{}=\"'#.\n,-10axnt ").map(str.encode)))
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "random.toml"
    file.write_bytes(content)
    with contextlib.suppress(ConfigInvalid):
        assert isinstance(load(file), Config)

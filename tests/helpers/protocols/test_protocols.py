"""The folder is the list of helpers: each file or folder in it is one, and knows nothing but the kit."""

import ast
import sys
from importlib import import_module
from pathlib import Path

import pytest

from nfmasq.helpers import protocols, registry

FOLDER = Path(protocols.__file__).parent
TESTS = Path(__file__).parent
NAMES = pytest.mark.parametrize("name", protocols.NAMES)


def files(folder: Path, name: str) -> list[Path]:
    """The files of a protocol, or of its tests."""
    return [*folder.glob(f"{name}.py"), *(folder / name).rglob("*.py")]


def test_the_list_has_all_files_of_the_folder() -> None:
    there = {
        path.stem for path in FOLDER.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert set(protocols.NAMES) == there - {"__init__"}
    assert {"ftp", "irc"} <= set(protocols.NAMES)


@NAMES
def test_each_is_a_helper_of_the_name_of_its_file(name: str) -> None:
    kind = registry.kind(name)
    assert kind is import_module(f"{protocols.__name__}.{name}").HELPER
    assert kind().name == name


@NAMES
def test_each_imports_the_kit_itself_and_the_standard_library_only(name: str) -> None:
    """A protocol that knew the engine could not be tried by itself, or installed from elsewhere."""
    own = ("nfmasq.helpers.kit", f"{protocols.__name__}.{name}")
    for path in files(FOLDER, name):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{path} has a relative import"
                imported = [node.module or ""]
            else:
                continue
            for module in imported:
                is_own = any(module == each or module.startswith(f"{each}.") for each in own)
                assert is_own or module.split(".")[0] in sys.stdlib_module_names, f"{path} imports {module}"


@NAMES
def test_each_has_tests(name: str) -> None:
    assert files(TESTS, f"test_{name}") or list((TESTS / name).glob("test_*.py"))


@pytest.mark.parametrize(
    ("name", "most"),
    [
        *[("ftp", 260), ("irc", 180), ("tftp", 60), ("amanda", 80), ("nbdgm", 70), ("nbns", 90), ("rsh", 70)],
        *[("snmp", 125), ("dns", 170), ("tns", 170), ("sane", 230), ("portmap", 360)],
    ],
)
def test_each_is_short_enough_to_be_read_at_one_sitting(name: str, most: int) -> None:
    """What other protocols need as well belongs to the kit."""
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files(FOLDER, name)) <= most


def test_to_list_the_helpers_imports_no_protocol() -> None:
    """Only a protocol that is used costs memory; and one that cannot be imported takes no other with it."""
    source = ast.parse((FOLDER / "__init__.py").read_text(encoding="utf-8"))
    assert [node.module for node in ast.walk(source) if isinstance(node, ast.ImportFrom)] == ["pkgutil"]

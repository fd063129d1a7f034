"""The recipes of docs/contributing.md, performed on a copy of the tree.

The copy gets all of them, is built once, and must pass the tests that know the house. Then one step of a
recipe is left out, and the test that the page promises must fail.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import ROOT
from docs.recipes import RECIPES, Recipe, helper

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

EXAMPLES = {
    "test_workers": "test_<name>",
    "control/workers": "control/<name>",
    "protocols/tin": "protocols/<name>",
    "test_tin": "test_<name>",
    "test_udp_limit": "test_limits",
}
"""How the page calls what the examples call otherwise."""

NUMBERS = {1: "One", 2: "Two", 3: "Three", 7: "Seven"}

COPIED = ("nfmasq", "tests", "docs", "deploy", "pyproject.toml", "setup.py", "README.md", "CHANGELOG.md")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.so", "_fastpath.c", ".*")
PAGE = "docs/contributing.md"

KNOWING = [
    "tests/core/test_reasons.py",
    "tests/hot/test_udp_limit.py",
    "tests/config/test_shipped_file.py",
    "tests/control/test_listings.py",
    "tests/control/test_workers.py",
    "tests/control/test_openapi.py",
    "tests/control/test_helpers.py",
    "tests/config/test_helpers.py",
    "tests/cli/test_commands.py",
    "tests/web",
    "tests/helpers/protocols/test_protocols.py",
    "tests/helpers/protocols/test_tin.py",
    "tests/helpers/kit/test_trial.py",
    "tests/test_house.py",
    "tests/docs/test_metrics.py",
]
"""The tests that must pass in a tree to which something of each kind was added."""


class Copy:
    """A copy of the tree with all recipes performed, built."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name in (
            "nfmasq",
            "tests",
            "docs",
            "deploy",
            "pyproject.toml",
            "setup.py",
            "README.md",
            "CHANGELOG.md",
        ):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, place / name, ignore=LEFT_OUT)
            else:
                shutil.copy(source, place / name)
        self.recipes = {**RECIPES, "helper": helper(place)}
        for recipe in self.recipes.values():
            for step in (*recipe.makes, *recipe.follows, *recipe.tests):
                step.perform(place)
        self.run("setup.py", "-q", "build_ext", "--inplace", NFMASQ_CHECKED="1")
        self.run("tests/docs/metric_rows.py")

    def run(self, *words: str, **more: str) -> str:
        """Run a Python program in the copy; what it printed. It must end well."""
        done = self.call(*words, **more)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def call(self, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a Python program in the copy."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.place,
            env={**os.environ, "PYTHONPATH": str(self.place), **more},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def tests(self, *names: str) -> "subprocess.CompletedProcess[str]":
        """Run tests of the copy."""
        return self.call("-m", "pytest", "-q", "-p", "no:cacheprovider", *names)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One for all tests here: it takes half a minute to build."""
    made = Copy(tmp_path_factory.mktemp("recipes") / "tree")
    yield made
    shutil.rmtree(made.place)


def test_a_tree_with_one_more_of_each_passes(copy: Copy) -> None:
    done = copy.tests(*KNOWING)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("name", ["reason", "metric", "limit", "list", "helper"])
def test_a_recipe_takes_as_many_files_as_it_says_and_names_each(copy: Copy, name: str) -> None:
    recipe: Recipe = copy.recipes[name]
    steps = (*recipe.makes, *recipe.follows)
    assert len({step.file for step in steps}) == recipe.files
    told = (ROOT / PAGE).read_text(encoding="utf-8").partition(f"<!-- recipe: {name} -->")[2]
    told = told.partition("<!--")[0]
    assert f"{NUMBERS[recipe.files]} file" in told
    for step in (*recipe.makes, *recipe.tests):
        named = step.file
        for example, general in EXAMPLES.items():
            named = named.replace(example, general)
        assert named in told, f"the recipe does not name {named}"


@pytest.mark.parametrize(
    ("path", "tester"),
    [
        ("nfmasq/core/reasons.py", "tests/core/test_reasons.py"),
        ("nfmasq/core/policy.py", "tests/config/test_policy.py"),
        ("deploy/nfmasq.toml", "tests/config/test_shipped_file.py"),
        ("docs/metrics.md", "tests/docs/test_metrics.py"),
        ("tests/helpers/protocols/test_tin.py", "tests/helpers/protocols/test_protocols.py"),
    ],
)
def test_a_step_left_out_is_told_by_the_test_the_recipe_names(copy: Copy, path: str, tester: str) -> None:
    done, before = copy.place / path, ROOT / path
    performed = done.read_bytes()
    try:
        if before.exists():
            shutil.copy(before, done)
        else:
            done.unlink()
        assert copy.tests(tester).returncode != 0
    finally:
        done.write_bytes(performed)

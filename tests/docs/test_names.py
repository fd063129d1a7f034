"""Commands, options, keys and metrics that the pages name are those of the program."""

import re
import tomllib
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

from docs.pages import PAGES, blocks, code, name_of
from nfmasq.cli import main
from nfmasq.config import Config, ConfigInvalid, load

_KEY = re.compile(r"(nat|limits|timeouts|metrics|control|engine)\.(?!pxd)[a-z_]+")
_COMMAND = re.compile(r"(?:^|[$#] |sudo |&& |\|\| |watch |venv/bin/)nfmasq((?: +[^ |&;#>…]+)+)")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_exist(page: Path) -> None:
    wrong = []
    for text in code(page):
        for match in _COMMAND.finditer(text):
            if unknown := _unknown(match[1].split()):
                wrong.append(f"{unknown} in: nfmasq{match[1]}")
    assert not wrong


def _unknown(words: list[str]) -> str:
    """The first word that is no command or option of its command; "" if there is none."""
    command: click.Command = main
    options = {"--help", "-h", "--version"}
    for word in words:
        context = click.Context(command)
        if word.startswith("-"):
            options |= {name for param in command.params for name in param.opts}
            if word.partition("=")[0] not in options:
                return word
        elif isinstance(command, click.Group):
            options |= {name for param in command.params for name in param.opts}
            deeper = command.get_command(context, word)
            if deeper is None and command is main:
                return word
            command = deeper or command
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_keys_of_the_configuration_exist(page: Path) -> None:
    tables = {name: field.annotation for name, field in Config.model_fields.items()}
    keys = {
        f"{name}.{field.alias or key}"
        for name, table in tables.items()
        if isinstance(table, type) and issubclass(table, BaseModel)
        for key, field in table.model_fields.items()
    }
    named = {text for text in code(page) if _KEY.fullmatch(text)}
    assert named <= keys, sorted(named - keys)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_configurations_are_good(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page)):
        if block.language != "toml" or "wrong.toml" in block.words or "[project]" in block.text:
            continue
        written = tomllib.loads(block.text)
        keys = {"internal", "external"} - written.get("nat", {}).keys()
        given = {"internal": 'internal = ["lan0"]\n', "external": 'external = "wan0"\n'}
        missing = "".join(given[key] for key in sorted(keys))
        text = block.text.replace("[nat]\n", f"[nat]\n{missing}") if "nat" in written else block.text
        place = tmp_path / f"{number}.toml"
        place.write_text(text if "[nat]" in text else f"[nat]\n{missing}{text}", encoding="utf-8")
        try:
            load(place)
        except ConfigInvalid as invalid:
            pytest.fail(f"{block.text}\n{'; '.join(map(str, invalid.errors))}")

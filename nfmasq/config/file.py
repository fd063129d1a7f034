"""Reads a configuration: the file, its TOML, its keys and values, and how they fit together."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nfmasq.config.across import clashes
from nfmasq.config.errors import ConfigError, ConfigInvalid
from nfmasq.config.explain import explained
from nfmasq.config.models import Config

LARGEST_FILE = 1 << 20


def load(path: Path) -> Config:
    """The configuration in the TOML file at `path`.

    Raises ConfigInvalid with everything that is wrong; with one error alone when the file cannot be read or
    is not TOML.
    """
    try:
        document = tomllib.loads(_content(path).decode())
    except OSError as error:
        reason = f"{error.strerror or error}{_advice(error)}"
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 text at byte {error.start}; save it as UTF-8"
    except tomllib.TOMLDecodeError as error:
        reason = f"is not good TOML: {error}"
    except RecursionError:
        reason = "lists or tables are nested too deeply"
    except ValueError:
        # Python refuses to read a number of thousands of digits, and does not say where it stands.
        reason = "holds a number or date that is out of all bounds"
    else:
        return parse(document)
    raise ConfigInvalid([ConfigError(os.fsdecode(path), reason)])


def parse(document: dict[str, Any]) -> Config:
    """The configuration in a document, as tomllib gives it. Raises ConfigInvalid as `load` does."""
    # For an absent [nat], the error names the keys that are missing in it.
    document = {"nat": {}, **document}
    clashing = clashes(document)
    try:
        config = Config.model_validate(document)
    except ValidationError as invalid:
        raise ConfigInvalid([*explained(invalid, document), *clashing]) from None
    if clashing:
        raise ConfigInvalid(clashing)
    return config


def _content(path: Path) -> bytes:
    with open(path, "rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError(f"is larger than {LARGEST_FILE} bytes; is it a configuration?")
    return content


def _advice(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "; copy deploy/nfmasq.toml there, or name another file"
        case PermissionError():
            return "; run as root or let this user read it"
    return ""

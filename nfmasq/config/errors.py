"""What is wrong with a configuration, in words for the person who wrote it."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST_SHOWN = 60
_LONGEST_SAID = 200


@dataclass(frozen=True)
class ConfigError:
    """One thing to correct.

    key: where, as `nat.external`, `forward[0].to` or `nat.internal[1]` (lists count from 0); the file's name
    when the file as a whole cannot be read.
    reason: why, and what to write; one line.
    """

    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


class ConfigInvalid(Exception):
    """A configuration that cannot be used. `errors` holds everything that is wrong with it, never nothing."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = list(errors)


def key_of(parts: Iterable[str | int]) -> str:
    """The written form of a place: ("forward", 0, "to") is forward[0].to."""
    written = ""
    for part in parts:
        if isinstance(part, int):
            written += f"[{part}]"
        else:
            name = shortened(part) if _BARE_KEY.fullmatch(part) else quoted(part)
            written += f".{name}" if written else name
    return written


def quoted(text: str) -> str:
    """Text in double quotes, on one line, as ASCII, and not too long for one."""
    return json.dumps(shortened(text))


def shortened(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Text cut to what fits in a message."""
    return text if len(text) <= longest else text[:longest] + "..."


def on_one_line(error: Exception) -> str:
    """What an exception says, or its kind if it says nothing; printable, and not too long for a message."""
    said = " ".join(str(error).split()) or type(error).__name__
    return shortened("".join(letter for letter in said if letter.isprintable()), _LONGEST_SAID)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean "x"?' with the nearest known word, or one it shortens; nothing when none is near."""
    spelt, wrong = {name.lower(): name for name in known}, word.lower()
    longer = [name for name in spelt if len(wrong) > 1 and name.startswith(wrong)]
    near = get_close_matches(wrong, spelt, n=1) or longer
    return f"; did you mean {quoted(spelt[near[0]])}?" if near else ""

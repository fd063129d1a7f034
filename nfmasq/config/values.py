"""How plain values of a configuration are written: one function a kind of value.

Here and in `addresses`, each function takes what TOML gave, of whatever type, and returns the value meant, or
raises ValueError with the reason and what to write.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nfmasq.config.errors import did_you_mean, quoted

LONGEST_TIMEOUT = 365 * 86400
LEAST_MSS, MOST_MSS = 88, 65495
_LONGEST_SOCKET_PATH = 107
_DURATION = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")


def described(value: Any) -> str:
    """A value and its type, for "must be x, not …"."""
    if isinstance(value, str):
        return f"the string {quoted(value)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}" if value.bit_length() <= 64 else "a huge number"
    if isinstance(value, float):
        return f"{value}"
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "a table"
    return "a date or time"


def text(value: Any) -> str:
    """Any string."""
    if not isinstance(value, str):
        raise ValueError(f"must be a string, not {described(value)}")
    return value


def flag(value: Any) -> bool:
    """true or false, without quotes."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {described(value)}")
    return value


def number(value: Any) -> int:
    """Any whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {described(value)}")
    return value


def whole(first: int, last: int) -> Callable[[Any], int]:
    """A whole number from `first` to `last`, both included."""

    def parse(value: Any) -> int:
        if not first <= number(value) <= last:
            raise ValueError(f"must be {first} to {last}, not {described(value)}")
        return number(value)

    return parse


def word(*words: str) -> Callable[[Any], str]:
    """One of a few words."""

    def parse(value: Any) -> str:
        choice = ", ".join(map(quoted, words))
        must = f"must be one of {choice}" if len(words) > 1 else f"must be {choice}"
        if not isinstance(value, str):
            raise ValueError(f"{must}, not {described(value)}")
        if value not in words:
            raise ValueError(f"{must}, not {quoted(value)}{did_you_mean(value, words)}")
        return value

    return parse


def count_or_auto(first: int, last: int) -> Callable[[Any], int | None]:
    """A whole number, or "auto", which comes out as None."""
    count = whole(first, last)

    def parse(value: Any) -> int | None:
        if isinstance(value, str):
            if value != "auto":
                raise ValueError(f'must be "auto" or a whole number, not {described(value)}')
            return None
        return count(value)

    return parse


def segment_size(value: Any) -> int | None:
    """The largest TCP segment let through, in bytes; 0: any; "auto", which comes out as None.

    The bounds are those of Linux: less would leave no room for the options.
    """
    if value != "auto" and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f'must be "auto" or a number of bytes, not {described(value)}')
    if value == "auto":
        return None
    if value and not LEAST_MSS <= value <= MOST_MSS:
        raise ValueError(f"must be 0 for none, or {LEAST_MSS} to {MOST_MSS}, not {described(value)}")
    return int(value)


def duration(value: Any) -> int:
    """Seconds, from "5m", "2h4m", "60s", "1d", or a whole number of seconds."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value)
        if not value or match is None:
            raise ValueError(
                f'{quoted(value)} is not a duration such as "5m", "2h4m", "60s", or 60 for seconds'
            )
        days, hours, minutes, seconds = (int(amount or 0) for amount in match.groups())
        value = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            f'must be a duration such as "5m" or a whole number of seconds, not {described(value)}'
        )
    if not 1 <= value <= LONGEST_TIMEOUT:
        raise ValueError(f"must be 1 second to 365 days, not {described(value)}")
    return value


def path(value: Any) -> Path:
    """The absolute path of a file."""
    written = text(value)
    if not written.startswith("/") or written.endswith("/") or not written.isprintable():
        raise ValueError(f"{quoted(written)} is not the absolute path of a file, such as /run/nfmasq/state")
    return Path(written)


def socket_path(value: Any) -> Path:
    """The absolute path of a unix socket; the kernel takes no more than 107 bytes."""
    place = path(value)
    length = len(str(place).encode())
    if length > _LONGEST_SOCKET_PATH:
        raise ValueError(
            f"the path is {length} bytes long; a unix socket's has at most {_LONGEST_SOCKET_PATH}"
        )
    return place

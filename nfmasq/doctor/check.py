"""What one check answers."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One answer. why: what was found; mend: the remedy, "" where none is needed.

    These names are those of `nfmasq doctor --json`.
    """

    name: str
    status: Status
    why: str
    mend: str = ""

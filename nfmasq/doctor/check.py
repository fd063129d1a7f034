"""What one check answers."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One answer. why: what was found; mend: what to do about it, "" when nothing."""

    name: str
    status: Status
    why: str
    mend: str = ""

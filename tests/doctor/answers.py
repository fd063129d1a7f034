"""A configuration to be checked, and what the checks of a router say."""

from pathlib import Path as FilePath
from typing import Any

from support.path import Path

from nfmasq.config import Config
from nfmasq.doctor import Check, checks

FIRST_QUEUE = 100


def config_of(state: FilePath, **tables: dict[str, Any]) -> Config:
    whole: dict[str, dict[str, Any]] = {
        "nat": {"internal": ["lan0"], "external": "wan0"},
        "limits": {"sessions": 1000},
        "engine": {"first_queue": FIRST_QUEUE, "workers": 2, "state": str(state)},
    }
    for name, table in tables.items():
        whole[name] = {**whole[name], **table}
    return Config.model_validate(whole)


def answers_of(path: Path, config: Config | None) -> dict[str, Check]:
    found = path.router.call(checks, config)
    assert len({check.name for check in found}) == len(found)
    for check in found:
        assert check.status == "ok" or check.mend, f"{check.name} names no remedy"
        assert "\n" not in check.why + check.mend
    return {check.name: check for check in found}


def not_ok(answers: dict[str, Check], *names: str) -> list[Check]:
    """What is not ok apart from those."""
    return [check for check in answers.values() if check.status != "ok" and check.name not in names]

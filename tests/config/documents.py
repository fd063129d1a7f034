"""Configurations to start a test from, as tomllib gives them."""

from typing import Any

import pytest
from hypothesis import settings

from nfmasq.config import ConfigInvalid, parse

unhurried = settings(deadline=None)
"""For tests over random values: how fast a busy machine gets through one of them says nothing."""


def document(**tables: Any) -> dict[str, Any]:
    """The least that is a good configuration, with these tables added; `nat` adds to its [nat]."""
    nat = {"internal": ["lan0"], "external": "wan0", **tables.pop("nat", {})}
    return {"nat": nat, **tables}


def reasons(wrong: dict[str, Any]) -> dict[str, str]:
    """What is wrong with a document, by key. Fails when nothing is, or a key has two errors."""
    with pytest.raises(ConfigInvalid) as caught:
        parse(wrong)
    errors = {error.key: error.reason for error in caught.value.errors}
    assert len(errors) == len(caught.value.errors), caught.value.errors
    return errors


def reason(wrong: dict[str, Any], key: str) -> str:
    """The reason for the one thing that is wrong, which must be at `key`."""
    errors = reasons(wrong)
    assert list(errors) == [key]
    return errors[key]

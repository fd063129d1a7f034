"""Whether nft has a table."""

import pytest
from support.path import Path
from support.paths import path

from nfmasq.machine.nft_tables import is_there

__all__ = ["path"]

pytestmark = pytest.mark.root


def test_a_table_is_there_from_its_making_until_a_flush(path: Path) -> None:
    assert not path.router.call(is_there, "theirs")
    path.router.run("nft", "add table ip theirs; add table inet others")
    assert path.router.call(is_there, "theirs")
    assert not path.router.call(is_there, "others"), "of another family"
    assert not path.router.call(is_there, "thei")
    path.router.run("nft", "flush", "ruleset")
    assert not path.router.call(is_there, "theirs")

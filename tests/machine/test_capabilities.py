"""What this process may do to the network."""

import sys
from pathlib import Path as FilePath

import pytest
from support.path import Path

import nfmasq

SAY = "from nfmasq.machine import capabilities as c; print(c.has(c.NET_ADMIN), c.has(c.NET_RAW))"


@pytest.mark.root
def test_a_capability_that_was_taken_away_is_not_there(path: Path) -> None:
    said = path.router.run(
        *("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-c", SAY),
        cwd=FilePath(nfmasq.__file__).parent.parent,
    )
    assert said.split() == ["True", "False"]

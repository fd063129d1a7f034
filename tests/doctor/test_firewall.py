"""Rules of others that stand in the way."""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


def test_another_masquerade_is_warned_of(router: Path, state: FilePath) -> None:
    router.iptables("-t nat -A POSTROUTING -o wan0 -j MASQUERADE")
    check = answers_of(router, config_of(state))["other translations"]
    assert (check.status, "nat" in check.why) == ("warn", True)

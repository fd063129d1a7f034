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


@pytest.mark.parametrize(
    "rule",
    [
        "-s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
        "-s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE",
        "-m mark --mark 0x40000/0xff0000 -j MASQUERADE",
    ],
)
def test_what_neighbours_translate_of_their_own_is_not(router: Path, state: FilePath, rule: str) -> None:
    router.iptables(f"-t nat -A POSTROUTING {rule}")
    assert answers_of(router, config_of(state))["other translations"].status == "ok"

"""The exit codes that scripts and the service unit rely on."""

from nfmasq.exits import Exit


def test_the_numbers_never_change() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "NOT_REACHABLE": 3,
        "NOT_PERMITTED": 4,
        "CONFIG_INVALID": 5,
        "DEGRADED": 6,
    }

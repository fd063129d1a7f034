"""What stands in the way of hairpinning."""

from pathlib import Path as FilePath

import pytest
from support.path import Path

from doctor.answers import answers_of, config_of

pytestmark = pytest.mark.root


def test_rules_that_overwrite_marks_are_warned_of_while_hairpinning(router: Path, state: FilePath) -> None:
    router.iptables("-t mangle -A PREROUTING -j CONNMARK --restore-mark")
    check = answers_of(router, config_of(state))["hairpinning"]
    assert (check.status, "CONNMARK" in check.why, "--mark 0" in check.mend) == ("warn", True, True)
    assert answers_of(router, config_of(state, nat={"hairpinning": False}))["hairpinning"].status == "ok"
    router.iptables("-t mangle -F", "-t mangle -A PREROUTING -m mark --mark 0 -j CONNMARK --restore-mark")
    assert answers_of(router, config_of(state))["hairpinning"].status == "ok"


def test_a_mark_of_others_is_warned_of_with_a_free_one(router: Path, state: FilePath) -> None:
    router.iptables("-t mangle -A PREROUTING -i lan0 -j MARK --set-xmark 0x100/0x3f00")
    router.router.ip("rule add fwmark 0x100/0x3f00 lookup 100")
    assert answers_of(router, config_of(state))["hairpinning"].status == "ok"
    for bit, named in ((0x100, "overwrite"), (0x2000, "overwrite")):
        check = answers_of(router, config_of(state, nat={"mark": bit}))["hairpinning"]
        assert (check.status, named in check.why, "nat.mark = 0x80000000" in check.mend) == (
            "warn",
            True,
            True,
        )
    router.iptables("-t mangle -F")
    check = answers_of(router, config_of(state, nat={"mark": 0x100}))["hairpinning"]
    assert (check.status, "ip rule" in check.why) == ("warn", True)


def test_redirects_are_warned_of_where_no_rule_of_ours_stops_them(router: Path, state: FilePath) -> None:
    by_hand = config_of(state, engine={"diversion": "none"})
    assert answers_of(router, config_of(state))["hairpinning"].status == "ok"
    check = answers_of(router, by_hand)["hairpinning"]
    assert (check.status, "redirects" in check.why) == ("warn", True)
    router.router.run(*check.mend.split())
    assert answers_of(router, by_hand)["hairpinning"].status == "ok"

"""Which endpoints are acted on, and what is written in their place."""

from ipaddress import IPv4Address

import pytest
from support.router import OTHER_CLIENT

from helpers.engine.announcing import not_acted_on, said, strict, waiting
from helpers.engine.bed import CLIENT, SERVER, Connection
from helpers.engine.here import HI


def test_an_address_without_a_port_is_hidden_and_nothing_expected() -> None:
    bed = strict()
    connection = Connection(bed).open()
    heard = connection.say(0, HI + said(b"SELF", CLIENT, 0))
    assert heard == HI + said(b"SELF", connection.external[0], 0)
    at = len(HI + said(b"SELF", CLIENT, 0))
    assert connection.say(0, said(b"SELF", OTHER_CLIENT, 0), at=at) == said(b"SELF", OTHER_CLIENT, 0)
    assert connection.say(1, HI + said(b"SELF", SERVER, 0)) == HI + said(b"SELF", SERVER, 0)
    assert (waiting(bed), not_acted_on(bed)) == (0, {})


def test_the_external_address_is_the_speaker_s_own_only_where_the_helper_says_so() -> None:
    bed = strict()
    line = HI + said(b"HERE", bed.rules.addresses[0], 5000)
    assert Connection(bed).open().say(0, line) == line
    assert (waiting(bed), not_acted_on(bed)) == (0, {"forged": 1})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (said(b"HERE", OTHER_CLIENT, 5000), "forged"),
        (said(b"HERE", SERVER, 5000), "forged"),
        (said(b"HERE", CLIENT, 1023), "privileged"),
        (said(b"HERE", CLIENT, 65536), "malformed"),
        (said(b"PAIR", CLIENT, 65535), "malformed"),
        (b"LONG\r\n", "too_long"),
        (said(b"AGAIN", CLIENT, 5000), "not_allowed"),
    ],
)
def test_what_is_not_to_be_trusted_stays_as_it_is(line: bytes, reason: str) -> None:
    bed = strict()
    connection = Connection(bed).open()
    assert connection.say(0, HI + line) == HI + line
    assert waiting(bed) == 0
    assert not_acted_on(bed) == {reason: 1}


@pytest.mark.parametrize(("address", "reasons"), [(SERVER, {}), (CLIENT, {"forged": 1})])
def test_what_the_outside_announces_is_only_read(address: IPv4Address, reasons: dict[str, int]) -> None:
    bed = strict()
    line = HI + said(b"HERE", address, 5000)
    assert Connection(bed).open().say(1, line) == line
    assert waiting(bed) == 0
    assert not_acted_on(bed) == reasons
    assert bed.engine.counters()["here"].seen == 1

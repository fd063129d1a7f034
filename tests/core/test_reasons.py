"""Every reason a packet is dropped for, provoked; and that names, sentences and counters belong together."""

import re
from pathlib import Path
from typing import Any

import pytest
from support.packets import read
from support.router import Router

import nfmasq
from core.provocations import CASES, ELSEWHERE, Case
from nfmasq._fastpath import REASONS
from nfmasq.core.reasons import BY_NAME, ROWS, Icmp, Kind, Reason


def name_of(case: Case) -> str:
    """How a case is called in the list of tests."""
    return f"{case.reason}: {case.what}, {'inbound' if case.inbound else 'outbound'}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_a_packet_is_dropped_for_its_reason_and_counted_under_it(case: Case) -> None:
    router = Router(case.rules)
    near = 0
    for earlier in case.before:
        if callable(earlier):
            router.into(earlier(near))
        else:
            near = read(router.out(earlier)).source_port
    packet = case.packet(near) if callable(case.packet) else case.packet
    before = router.rows(), router.table.gauges(), router.table.hosts()
    offer = router.try_in if case.inbound else router.try_out
    how: dict[str, Any] = {"from_router": True} if case.from_router else {}
    if case.mark:
        how["mark"] = case.mark
    if case.device:
        how["device"] = case.device
    assert offer(packet, **how) == (case.reason, b"")
    assert (router.rows(), router.table.gauges(), router.table.hosts()) == before
    dropped = dict(zip(REASONS, router.table.counters().dropped, strict=True))
    assert {reason for reason, count in dropped.items() if count} == {case.reason}
    assert dropped[case.reason] == 1


def test_every_reason_is_provoked() -> None:
    assert {case.reason for case in CASES} == set(BY_NAME) - ELSEWHERE


def test_the_names_are_in_the_order_of_the_core() -> None:
    source = (Path(nfmasq.__file__).parent / "_hot" / "state" / "reasons.pxd").read_text(encoding="utf-8")
    numbered = re.findall(r"^    ([A-Z][A-Z0-9_]*)", source, re.MULTILINE)
    assert numbered[0] == "NO_REASON"
    assert numbered[-1] == "REASON_COUNT"
    assert tuple(name.lower() for name in numbered[1:-1]) == tuple(BY_NAME) == REASONS


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_every_reason_has_one_sentence_for_people(row: Reason) -> None:
    assert re.fullmatch(r"[A-Z].*\.", row.sentence)
    assert len(row.sentence) <= 100
    assert [other.sentence for other in ROWS].count(row.sentence) == 1


def test_every_row_states_its_icmp_decision() -> None:
    """No row gets one by default: whether a sender learns of the drop is decided with the reason."""
    assert not Reason._field_defaults
    assert all(isinstance(row.icmp, Icmp) for row in ROWS)


def test_a_limit_that_is_reached_is_answered_by_icmp() -> None:
    """RFC 5508 REQ-8, RFC 6888 REQ-11. The helpers' delay is none: TCP sends again."""
    silent = {row.name for row in ROWS if row.kind is Kind.LIMIT and row.icmp is Icmp.NONE}
    assert silent == {"helpers_busy"}

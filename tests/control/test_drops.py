"""The list of the reasons packets are dropped for."""

from dataclasses import replace

from support.behind import Bare

from nfmasq._fastpath import REASONS
from nfmasq.control.client import Client
from nfmasq.core.reasons import BY_NAME
from nfmasq.diversion import guard_drops


def test_drops_have_every_reason_with_its_sentence(running: Bare, client: Client) -> None:
    reason, _ = running.table.translate(b"")
    drops = client.get("/v1/drops")["drops"]
    assert [drop["reason"] for drop in drops] == [*REASONS, *(row.name for row in guard_drops.ROWS)]
    rows = [*(BY_NAME[name] for name in REASONS), *guard_drops.ROWS]
    assert [(drop["sentence"], drop["class"]) for drop in drops] == [(row.sentence, row.kind) for row in rows]
    assert {drop["reason"]: drop["count"] for drop in drops if drop["count"]} == {reason: 1}


def test_what_the_guard_dropped_is_in_the_list_as_a_class_of_its_own(running: Bare, client: Client) -> None:
    running.seen = replace(running.seen, guard_drops={"guard_source": 7})
    (row,) = [each for each in client.get("/v1/drops")["drops"] if each["count"]]
    assert (row["reason"], row["class"], row["count"]) == ("guard_source", "guard", 7)

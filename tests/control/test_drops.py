"""The list of the reasons packets are dropped for."""

from support.behind import Bare

from nfmasq._fastpath import REASONS
from nfmasq.control.client import Client
from nfmasq.core.reasons import BY_NAME


def test_drops_have_every_reason_with_its_sentence(running: Bare, client: Client) -> None:
    reason, _ = running.table.translate(b"")
    drops = client.get("/v1/drops")["drops"]
    assert [drop["reason"] for drop in drops] == list(REASONS)
    rows = [BY_NAME[drop["reason"]] for drop in drops]
    assert [(drop["sentence"], drop["class"]) for drop in drops] == [(row.sentence, row.kind) for row in rows]
    assert {drop["reason"]: drop["count"] for drop in drops if drop["count"]} == {reason: 1}

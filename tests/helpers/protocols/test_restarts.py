"""A daemon that restarts between a request and its answer harms no session of a helper: every byte arrives.

The helper of an open TCP connection has ended. What was announced before stands, for the core holds it.
"""

import pytest
from support.router import CLIENT

from helpers.engine.bed import NEAR_PORT, PORT, Bed
from helpers.protocols.ends import Ends, bed_of
from nfmasq.helpers import protocols, registry
from nfmasq.helpers.engine.thread import Engine
from nfmasq.helpers.kit import trial
from nfmasq.helpers.kit.base import Endpoint

CASES = [
    (name, transport, inside_began)
    for name in protocols.NAMES
    for transport, inside_began, _ in trial.examples(registry.kind(name)())
]


def restarted(bed: Bed) -> None:
    """Let another engine work on the same table: it knows no session."""
    bed.engine = Engine(
        bed.table, bed.registry, remainder=bed.remainder, clock=lambda: bed.now, takes_over=True
    )


def announced(bed: Bed) -> set[tuple[int, Endpoint, Endpoint]]:
    """Expectations in the core: their protocol, internal and external endpoint."""
    return {
        (row.protocol, row.internal, row.external) for row in bed.table.sessions() if row.state == "expected"
    }


@pytest.mark.parametrize(("name", "transport", "inside_began"), CASES)
def test_no_byte_is_lost(name: str, transport: str, inside_began: bool) -> None:
    helper = registry.kind(name)()
    (example,) = (
        each
        for carried, began, each in trial.examples(helper)
        if (carried, began) == (transport, inside_began)
    )
    for at in range(1, len(example)):
        bed = bed_of(registry.kind(name)(), server_inside=not inside_began)
        service = helper.ports[0] if inside_began else PORT
        ends = Ends(bed, transport, near=CLIENT, port=NEAR_PORT, service=service)
        for side, said in example[:at]:
            ends.say(side, said)
        before = announced(bed)
        restarted(bed)
        for side, said in example[at:]:
            heard = ends.say(side, said)
            if transport == "tcp":
                assert heard == said
            assert heard
        assert before <= announced(bed)

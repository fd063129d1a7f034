"""Whatever two ends and the network do: each hears one rewriting of what the other says, and is told truly.

Both directions are rewritten together, and the helper may be disabled on the way: then the corrections
go on, by the engine and at last by the core.
"""

import random
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.packets import tcp
from support.router import OTHER_CLIENT

from helpers.engine.bed import CLIENT, LONG, SERVER, SHORT, Bed, Connection
from helpers.engine.ends import TwoEnds, rewritten_lines
from helpers.engine.here import text_of

NUMBERS = (7, 1007), ((1 << 32) - 60, (1 << 31) - 30), ((1 << 31) - 100, (1 << 32) - 1)
HOSTED = 5000


def prepared(external: IPv4Address, forwarded: bool) -> tuple[Bed, int]:
    """A bed, and the external port of CLIENT's HOSTED, another one nearly always."""
    bed = Bed(forward=forwarded, external=(external,))
    for host in (OTHER_CLIENT, CLIENT):
        bed.table.translate(tcp(host, HOSTED, SERVER, 80))
    (row,) = [row for row in bed.table.mappings() if row.internal == (CLIENT, HOSTED)]
    return bed, row.external[1]


def speech(chance: random.Random, endpoint: bytes) -> bytes:
    """Some lines, every other one with an endpoint."""
    lines = chance.choices([b"x" * 61, b"", endpoint], [1, 1, 2], k=chance.randint(0, 14))
    return b"".join(line + b"\r\n" for line in [b"HI", *lines])


@pytest.mark.parametrize("forwarded", [False, True])
@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 1 << 64))
def test_both_ends_hear_one_stream_and_are_told_the_truth(forwarded: bool, seed: int) -> None:
    chance = random.Random(seed)  # drawn one by one by hypothesis, the runs would be too short
    external = chance.choice([SHORT, LONG])
    bed, port = prepared(external, forwarded)
    inside = speech(chance, b"HERE " + text_of(CLIENT, HOSTED))
    outside = speech(chance, b"YOURS %d" % port)
    connection = Connection(bed, chance.choice(NUMBERS)).open()
    ends = TwoEnds(bed, connection, (inside, outside), chance)
    ends.wander(500)
    heard = [bytes(end.heard[at] for at in range(end.rcv)) for end in ends.ends]
    texts = (text_of(CLIENT, HOSTED), text_of(external, port)), (b"YOURS %d" % port, b"YOURS %d" % HOSTED)
    plans = rewritten_lines(inside, heard[1], texts[:1]), rewritten_lines(outside, heard[0], texts[1:])
    ends.require_exact(plans)
    if not bed.table.let:
        assert str(CLIENT).encode() not in heard[1]

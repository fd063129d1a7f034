"""Whatever two ends and the network do: each hears one rewriting of what the other says, and is told truly.

Both directions are rewritten at once, and the helper may be switched off on the way: then the corrections
go on, by the engine and at last by the core.
"""

from ipaddress import IPv4Address

import pytest
from hot.packets import tcp
from hot.router import OTHER_CLIENT
from hypothesis import given, settings
from hypothesis import strategies as st

from .bed import CLIENT, LONG, SERVER, SHORT, Bed, Connection
from .ends import Talk, rewritten_lines
from .here import text_of

NUMBERS = st.sampled_from([(7, 1007), ((1 << 32) - 60, (1 << 31) - 30), ((1 << 31) - 100, (1 << 32) - 1)])
HOSTED = 5000
LINES = st.lists(st.sampled_from(["plain", "endpoint", "empty", "endpoint"]), max_size=12)


def prepared(external: IPv4Address, forwarded: bool) -> tuple[Bed, int]:
    """A bed, and the external port of CLIENT's HOSTED, which is another one."""
    bed = Bed(forward=forwarded, external=(external,))
    for host in (OTHER_CLIENT, CLIENT):
        bed.table.translate(tcp(host, HOSTED, SERVER, 80))
    (row,) = [row for row in bed.table.mappings() if row.internal == (CLIENT, HOSTED)]
    assert row.external[1] != HOSTED
    return bed, row.external[1]


def speech(kinds: list[str], endpoint: bytes) -> bytes:
    """Lines of these kinds."""
    lines = {"plain": b"x" * 61, "endpoint": endpoint, "empty": b""}
    return b"".join([b"HI\r\n", *(lines[kind] + b"\r\n" for kind in kinds)])


@pytest.mark.parametrize("forwarded", [False, True])
@settings(max_examples=300, deadline=None)
@given(
    kinds=st.tuples(LINES, LINES),
    numbers=NUMBERS,
    external=st.sampled_from([SHORT, LONG]),
    seed=st.integers(0, 1 << 32),
    steps=st.integers(0, 300),
    off_at=st.none() | st.integers(0, 300),
)
def test_both_ends_hear_one_stream_and_are_told_the_truth(
    *,
    forwarded: bool,
    kinds: tuple[list[str], list[str]],
    numbers: tuple[int, int],
    external: IPv4Address,
    seed: int,
    steps: int,
    off_at: int | None,
) -> None:
    bed, port = prepared(external, forwarded)
    inside = speech(kinds[0], b"HERE " + text_of(CLIENT, HOSTED))
    outside = speech(kinds[1], b"YOURS %d" % port)
    connection = Connection(bed, numbers).open()
    talk = Talk(bed, connection, (inside, outside), seed)
    for step in range(steps):
        if step == off_at:
            bed.engine.switch("here", False)
        bed.now += talk.chance.choice([0.0, 0.0, 0.01, 0.3])
        talk.step()
        if talk.chance.random() < 0.05:
            bed.engine.tick()
    talk.settle()
    heard = [bytes(end.heard[at] for at in range(end.rcv)) for end in talk.ends]
    texts = (text_of(CLIENT, HOSTED), text_of(external, port)), (b"YOURS %d" % port, b"YOURS %d" % HOSTED)
    plans = rewritten_lines(inside, heard[1], texts[:1]), rewritten_lines(outside, heard[0], texts[1:])
    talk.require_exact(plans)
    if off_at is None and not bed.table.let:
        assert str(CLIENT).encode() not in heard[1]

"""The life of a TCP session (RFC 6146 section 3.5.2): every state against every segment, and whole lives."""

import re
from pathlib import Path

import pytest
from support.packets import ACK, FIN, PSH, RST, SYN, URG, read, tcp
from support.router import CLIENT, EXTERNAL, SERVER, Router, policy

import nfmasq
from nfmasq._fastpath import TCP_STATES
from nfmasq.core.policy import Timeouts

LONG, SHORT = 7000, 250
FLAGS = {"SYN": SYN, "SYN+ACK": SYN | ACK, "FIN": FIN | ACK, "RST": RST, "RST+ACK": RST | ACK, "ACK": ACK}

TO_STATE = {
    "syn-out": "out SYN",
    "syn-in": "in SYN",
    "established": "out SYN, in SYN+ACK",
    "fin-out": "out SYN, in SYN+ACK, out FIN",
    "fin-in": "out SYN, in SYN+ACK, in FIN",
    "closing": "out SYN, in SYN+ACK, out FIN, in FIN",
    "reset": "out SYN, in SYN+ACK, in RST",
}
"""The shortest life that leads to each state."""

SEGMENTS = ("out SYN", "out FIN", "out RST", "out ACK", "in SYN", "in FIN", "in RST", "in ACK")
NEXT = """
    syn-out     *syn-out    syn-out     syn-out syn-out      established syn-out     syn-out syn-out
    syn-in      established syn-in      syn-in  syn-in       syn-in      syn-in      syn-in  syn-in
    established established fin-out     reset   *established established fin-in      reset   *established
    fin-out     fin-out     *fin-out    reset   *fin-out     fin-out     closing     reset   *fin-out
    fin-in      fin-in      closing     reset   *fin-in      fin-in      *fin-in     reset   *fin-in
    closing     syn-out     closing     closing closing      syn-in      closing     closing closing
    reset       reset       established reset   established  reset       established reset   established
"""
"""A row a state: what it becomes by each of SEGMENTS.

A change of state starts the timer; a star says that staying starts it again.
"""

LONG_LIVED = {"established", "fin-out", "fin-in"}
NAMES = {
    "TCP_NONE": "-",
    "TCP_INTERNAL_SYN": "syn-out",
    "TCP_EXTERNAL_SYN": "syn-in",
    "TCP_ESTABLISHED": "established",
    "TCP_INTERNAL_FIN": "fin-out",
    "TCP_EXTERNAL_FIN": "fin-in",
    "TCP_CLOSING": "closing",
    "TCP_RESET": "reset",
}


def cells() -> list[tuple[str, str, str, bool]]:
    """State, segment, next state, and whether the timer starts anew."""
    rows = [line.split() for line in NEXT.strip().splitlines()]
    return [
        (state, segment, cell.lstrip("*"), cell.startswith("*") or cell != state)
        for state, *row in rows
        for segment, cell in zip(SEGMENTS, row, strict=True)
    ]


class Connection:
    """One connection between CLIENT and SERVER, told its segments as "out SYN" or "in FIN"."""

    def __init__(self) -> None:
        self.router = Router(policy(timeouts=Timeouts(tcp_established=LONG, tcp_transitory=SHORT)))
        self.near = 0

    def see(self, segments: str) -> "Connection":
        """Segments, parted by commas."""
        for segment in segments.split(", "):
            way, flags = segment.split()
            if way == "in" and not self.near:
                self.from_outside_first()
            if way == "out":
                sent = self.router.out(tcp(CLIENT, 40000, SERVER, 80, FLAGS[flags]))
                self.near = read(sent).source_port
            else:
                self.router.into(tcp(SERVER, 80, EXTERNAL, self.near, FLAGS[flags]))
        return self

    def from_outside_first(self) -> None:
        """CLIENT has spoken to SERVER already, from the same port, about something else."""
        self.near = read(self.router.out(tcp(CLIENT, 40000, SERVER, 81))).source_port

    @property
    def state(self) -> str:
        return self.row[0]

    @property
    def left(self) -> int:
        """Seconds until it ends."""
        return self.row[1]

    @property
    def row(self) -> tuple[str, int]:
        (row,) = [row for row in self.router.rows() if row.remote == (SERVER, 80)]
        return row.state, row.expires_s


@pytest.mark.parametrize(("state", "segment", "then", "timer_starts"), cells())
def test_every_state_and_segment(state: str, segment: str, then: str, timer_starts: bool) -> None:
    connection = Connection().see(TO_STATE[state])
    full = LONG if state in LONG_LIVED else SHORT
    assert connection.row == (state, full)
    connection.router.wait(100)
    connection.see(segment)
    assert connection.state == then
    if timer_starts:
        assert connection.left == (LONG if then in LONG_LIVED else SHORT)
    else:
        assert connection.left == full - 100


def test_the_table_above_is_whole() -> None:
    assert len(cells()) == len(TO_STATE) * len(SEGMENTS)
    assert set(TO_STATE) == set(TCP_STATES) - {"-"}


@pytest.mark.parametrize(
    ("life", "state", "left"),
    [
        ("out SYN, in SYN+ACK, out ACK", "established", LONG),
        ("out SYN, in SYN, out SYN+ACK, in SYN+ACK", "established", LONG),
        ("in SYN, out SYN, in SYN+ACK", "established", LONG),
        ("in SYN, out SYN+ACK, in ACK", "established", LONG),
        ("out SYN, in RST+ACK", "reset", SHORT),
        ("out SYN, in SYN+ACK, in RST, in ACK", "established", LONG),
        ("out SYN, in SYN+ACK, in RST, out ACK", "established", LONG),
        ("out SYN, in SYN+ACK, in RST, out SYN, in SYN+ACK", "established", LONG),
        ("out SYN, in SYN+ACK, out FIN, in ACK, in FIN, out ACK", "closing", SHORT),
        ("out SYN, in SYN+ACK, in FIN, out ACK, out FIN, in ACK", "closing", SHORT),
        ("out SYN, in SYN+ACK, out FIN, in FIN, out SYN", "syn-out", SHORT),
        ("out SYN, in SYN+ACK, out FIN, in FIN, out SYN, in SYN+ACK", "established", LONG),
        ("out SYN, in SYN+ACK, out FIN, out RST", "reset", SHORT),
    ],
    ids=[
        "opened from inside",
        "opened from both sides at once",
        "opened from outside, both at once",
        "opened from outside",
        "refused",
        "a reset the server did not mean",
        "a reset the client did not believe",
        "reset and opened again",
        "closed from inside",
        "closed from outside",
        "closed and opened again",
        "closed, opened again and answered",
        "half closed and reset",
    ],
)
def test_whole_lives(life: str, state: str, left: int) -> None:
    assert Connection().see(life).row == (state, left)


@pytest.mark.parametrize("life", TO_STATE.values(), ids=TO_STATE)
def test_an_idle_connection_ends_with_its_timer_whatever_its_state(life: str) -> None:
    connection = Connection().see(life)
    left = connection.left
    connection.router.wait(left - 1)
    assert connection.left == 1
    connection.router.wait(1)
    assert connection.router.rows() == []


def test_a_reset_ends_nothing_by_itself() -> None:
    """A forged one costs no more than the longer timer (RFC 7857 section 2.2)."""
    connection = Connection().see("out SYN, in SYN+ACK, in RST")
    assert connection.router.wait(SHORT - 1) == 0
    connection.see("in ACK")
    assert connection.router.wait(LONG - 1) == 0


def test_a_timer_that_became_shorter_is_kept() -> None:
    """The session was put on the wheel for a long time, and must come off it early."""
    connection = Connection().see("out SYN, in SYN+ACK")
    connection.router.wait(1000)
    connection.see("out ACK, out FIN, in FIN")
    assert connection.router.wait(SHORT - 1) == 0
    assert connection.router.wait(1) == 1


def test_the_last_acknowledgments_do_not_keep_a_closed_connection() -> None:
    connection = Connection().see("out SYN, in SYN+ACK, out FIN, in FIN")
    connection.router.wait(SHORT - 1)
    connection.see("out ACK, in ACK, in FIN")
    assert connection.router.wait(1) == 1


@pytest.mark.parametrize("extra", [0, PSH, 0x40, 0x80, 0x40 | 0x80 | PSH])
def test_push_and_congestion_bits_change_nothing(extra: int) -> None:
    """ECN sets its two bits on a SYN (RFC 3168)."""
    connection = Connection()
    connection.router.out(tcp(CLIENT, 40000, SERVER, 80, SYN | extra))
    assert connection.state == "syn-out"


FLAG_SETS_OF_A_TCP = {
    SYN,
    SYN | URG,
    SYN | ACK,
    RST,
    RST | ACK,
    FIN | ACK,
    FIN | ACK | URG,
    ACK,
    ACK | URG,
}


@pytest.mark.parametrize("flags", range(256))
def test_flags_that_make_no_sense_are_dropped(flags: int) -> None:
    """PSH and the congestion bits aside, a TCP sends nine sets of flags; no other gets past."""
    connection = Connection().see("out SYN, in SYN+ACK")
    reason, _ = connection.router.try_out(tcp(CLIENT, 40000, SERVER, 80, flags))
    sensible = flags & ~(PSH | 0xC0) in FLAG_SETS_OF_A_TCP
    assert reason == ("" if sensible else "tcp_flags_invalid")


def test_the_names_of_the_states_are_in_the_order_of_the_core() -> None:
    source = (Path(nfmasq.__file__).parent / "_hot" / "state" / "tcpstate.pxd").read_text(encoding="utf-8")
    enum = re.search(r"enum \{[^\n]*\n(.*?)TCP_STATE_COUNT", source, re.DOTALL)
    assert enum is not None
    assert tuple(NAMES[name] for name in re.findall(r"TCP_\w+", enum.group(1))) == TCP_STATES

"""What the guard dropped, by reason: its rules and its egress program together.

What is stored: the last count of each source and kind, and the counts from before a source began anew. Who
lays a source anew says so; a source that counts less than before was laid anew too. Its earlier count is
carried on. One thread alone may call `take` and `begin_anew`; any thread may read `totals`. Limit: what the
rules counted between the last `take` and a flush by another program is lost with them.
"""

from collections.abc import Mapping

from nfmasq.core.reasons import Icmp, Kind, Reason

ROWS: tuple[Reason, ...] = (
    Reason(
        "guard_source",
        Kind.GUARD,
        "The packet would have left an external interface untranslated.",
        Icmp.NONE,
    ),
    Reason(
        "guard_elsewhere",
        Kind.GUARD,
        "An internal source would have left for a public destination by an interface nobody named.",
        Icmp.NONE,
    ),
    Reason("guard_quote", Kind.GUARD, "The ICMP error quotes an internal address.", Icmp.NONE),
    Reason(
        "guard_own_answer",
        Kind.GUARD,
        "The router's own stack answered for an external port of nfmasq (RST, ICMP unreachable).",
        Icmp.NONE,
    ),
    Reason(
        "guard_spoofed",
        Kind.GUARD,
        "From outside came a source that lies in an untranslated network.",
        Icmp.NONE,
    ),
    Reason(
        "guard_returned",
        Kind.GUARD,
        "From outside came a packet to an external address, and it would have gone back outside.",
        Icmp.NONE,
    ),
)
"""The reasons of the guard, as those of the core."""

_KINDS = ("external", "elsewhere", "quoted", "own_answer", "spoofed", "returned")
"""The names by which rules and program count, in the order of ROWS."""


class GuardDrops:
    """The drops of one daemon's guard."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}
        self._carried = dict.fromkeys(_KINDS, 0)

    def take(self, source: str, counts: Mapping[str, int]) -> None:
        """Take the counts of a source, by kind: "rules" or "program"."""
        for kind, count in counts.items():
            before = self._last.get((source, kind), 0)
            if count < before:
                self._carried[kind] += before
            self._last[source, kind] = count

    def begin_anew(self, source: str) -> None:
        """The source counts from 0 again: it may soon have counted more than before."""
        for (which, kind), count in list(self._last.items()):
            if which == source:
                self._last[which, kind] = 0
                self._carried[kind] += count

    def totals(self) -> dict[str, int]:
        """All drops so far, by the name of their reason."""
        totals = dict(self._carried)
        for (_, kind), count in list(self._last.items()):
            totals[kind] += count
        return {row.name: totals[kind] for row, kind in zip(ROWS, _KINDS, strict=True)}

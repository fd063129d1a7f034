"""The networks of one side, no more than there is room for.

What is stored: ranges of whole chunks, and the networks of each chunk that is not whole, widened step by step
where there are too many. Only `put()` and `set_quiet()` write.

Where there is no room for all, networks are widened to ever shorter prefixes until there is, as `covering`
does. Down to a chunk's prefix length no widening looks beyond its chunk. So a change in one chunk widens that
one alone.
"""

from collections.abc import Iterable, Sequence
from heapq import nsmallest
from ipaddress import IPv4Network
from itertools import chain

from nfmasq.machine.ranges import Block, Range, blocks, covering, joined, widened

CHUNK = 16
"""The prefix length of a chunk."""

_STEPS = 32 - CHUNK
Steps = list[Sequence[Block]]
"""The networks of a chunk: as they are, then with those of /32 widened, then with those of /31, and so on."""


class Side:
    """room: how many networks it may have."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._quiet: list[Range] = []
        self._whole: set[int] = set()
        self._parts: dict[int, tuple[Block, ...]] = {}
        self._own: dict[int, Sequence[int]] = {}
        self._steps: dict[int, Steps] = {}
        self._sums = [0] * (_STEPS + 1)
        self._joined: list[Block] | None = None
        self._known: dict[Block, IPv4Network] = {}
        self._networks: tuple[IPv4Network, ...] | None = None
        self._kept_out: Sequence[int] = ()
        self.count = 0

    @property
    def is_crowded(self) -> bool:
        """Whether there are more than there is room for. Good after `networks()`."""
        return self.count > self._room

    def put(self, index: int, networks: tuple[Block, ...], own: Sequence[int]) -> bool:
        """The networks of one chunk; return whether it became whole, or is whole no more.

        own: the addresses in it that no wider network may cover.
        """
        whole = networks == ((index << (32 - CHUNK), CHUNK),)
        changed = whole != (index in self._whole)
        parts = () if whole else networks
        if changed or parts != self._parts.get(index, ()) or own != self._own.get(index, ()):
            self._forget(index)
            if whole:
                self._whole.add(index)
            elif parts:
                self._parts[index], self._own[index] = parts, own
        return changed

    def _forget(self, index: int) -> None:
        self._networks = None
        self._whole.discard(index)
        self._parts.pop(index, None)
        self._own.pop(index, None)
        for at, each in enumerate(self._steps.pop(index, ())):
            self._sums[at] -= len(each)

    def set_quiet(self, ranges: Iterable[Range]) -> None:
        """The whole chunks besides those that were put, ascending."""
        self._quiet, self._joined, self._networks = list(ranges), None, None

    def first(self, most: int) -> list[IPv4Network]:
        """The first networks, as they are."""
        parts = (self._parts[index] for index in nsmallest(most, self._parts))
        return [IPv4Network(block) for block in nsmallest(most, chain(self._joined_whole(), *parts))]

    def networks(self, kept_out: Sequence[int]) -> tuple[IPv4Network, ...]:
        """All of them, ascending, or networks that cover them: but for the addresses kept out (ascending)."""
        if self._networks is None or (self.is_crowded and kept_out != self._kept_out):
            whole = self._joined_whole()
            self.count = len(whole) + sum(map(len, self._parts.values()))
            fitting = (
                self._fitting(whole, kept_out) if self.is_crowded else chain(whole, *self._parts.values())
            )
            self._networks, self._kept_out = tuple(map(self._network, sorted(fitting))), kept_out
        return self._networks

    def _joined_whole(self) -> list[Block]:
        if self._joined is None:
            put = ((index << (32 - CHUNK), (index + 1 << (32 - CHUNK)) - 1) for index in self._whole)
            self._joined = list(blocks(joined(sorted(chain(self._quiet, put)))))
        return self._joined

    def _fitting(self, whole: Sequence[Block], kept_out: Sequence[int]) -> Iterable[Block]:
        for index in self._parts.keys() - self._steps.keys():
            self._steps[index] = steps = _widened_in_steps(self._parts[index], self._own[index])
            for at, each in enumerate(steps):
                self._sums[at] += len(each)
        step = next((at for at, sum_ in enumerate(self._sums) if len(whole) + sum_ <= self._room), _STEPS)
        found = chain(whole, *(steps[step] for steps in self._steps.values()))
        if len(whole) + self._sums[step] <= self._room:
            return found
        return covering(sorted(found), self._room, kept_out)

    def _network(self, block: Block) -> IPv4Network:
        network = self._known.get(block)
        if network is None:
            if len(self._known) > 4 * self._room:
                self._known.clear()
            network = self._known[block] = IPv4Network(block)
        return network


def _widened_in_steps(networks: Sequence[Block], kept_out: Sequence[int]) -> Steps:
    steps: Steps = [networks]
    for length in range(32, CHUNK, -1):
        some = any(block[1] == length for block in steps[-1])
        steps.append(widened(steps[-1], length, kept_out) if some else steps[-1])
    return steps

"""The egress programs and their maps, as this process loaded them.

What is stored: descriptors of the programs and the maps, and what the maps hold. Only the making, `fill` and
`close` write these.
"""

import os
import struct
from pathlib import Path

from nfmasq.diversion.backend import DiversionPlan
from nfmasq.diversion.egress import bpf, contents, tc
from nfmasq.diversion.egress.contents import Entries, differing
from nfmasq.diversion.egress.object import Program, read

DROPS = ("external", "quoted", "own_answer", "spoofed", "returned")
"""What the programs count, in the order of their map; the words are those of the guard's rules."""

_OBJECT = Path(__file__).with_name("program.bpf.o")
_LICENSE = "GPL"


class Loaded:
    """The programs and their maps, in the kernel. Making it raises OSError or BadObject."""

    def __init__(self) -> None:
        built = read(_OBJECT.read_bytes())
        self._maps: dict[str, int] = {}
        self._networks: Entries = {}
        self._interfaces: Entries = {}
        self._claimed: Entries = {}
        self.programs: dict[str, int] = {}
        try:
            for name, shape in built.maps.items():
                self._maps[name] = bpf.make_map(shape)
            for name, program in built.programs.items():
                self.programs[name] = self._load(program)
        except BaseException:
            self.close()
            raise

    def _load(self, built: Program) -> int:
        places = ((place, self._maps[name]) for place, name in built.places)
        return bpf.load(bpf.bound(built.instructions, places), _LICENSE, tc.NAME)

    def fill(self, plan: DiversionPlan, interfaces: Entries) -> None:
        """Make the maps as the plan says. interfaces: which of them lie on which side."""
        bpf.update(self._maps["ports"], contents.ZERO, contents.ports(plan))
        bpf.update(self._maps["usual"], contents.ZERO, contents.usual(plan))
        bpf.update(self._maps["mark"], contents.ZERO, contents.mark(plan))
        self._interfaces = self._change("interfaces", self._interfaces, interfaces)
        self._claimed = self._change("claimed", self._claimed, contents.claimed(plan))
        self._networks = self._change("networks", self._networks, contents.networks(plan))

    def _change(self, name: str, before: Entries, now: Entries) -> Entries:
        for key, value in differing(before, now):
            if value is None:
                bpf.delete(self._maps[name], key)
            else:
                bpf.update(self._maps[name], key, value)
        return now

    def counts(self) -> list[int]:
        """The counts in the order of DROPS."""
        values = (bpf.look_up(self._maps["drops"], struct.pack("=I", at), 8) for at in range(len(DROPS)))
        return [struct.unpack("=Q", value)[0] for value in values]

    def close(self) -> None:
        """Give up this process's hold on programs and maps; filters keep theirs."""
        for number in (*self.programs.values(), *self._maps.values()):
            os.close(number)
        self.programs.clear()
        self._maps.clear()

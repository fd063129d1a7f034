"""The egress program: the guard's second line, which no flush of a ruleset reaches.

`program.c` says what it drops. It stands at the tc egress of every external interface, by the interface's
index. So it stays when rules are flushed, when the daemon is away, and when an interface gets another name.

What is stored: the program and its maps as this process loaded them, what the maps hold, and the interfaces
it is attached to, each with its name at that time. Only install() and remove() write these. The kernel keeps
program and maps as long as a filter has them: they outlive the process on purpose. A later process loads
its own, filled before it takes the place of the earlier in one step. Another plan changes the maps alone.

An interface that got another name stays guarded until remove(), unless the plan names it for something else.
"""

import os
import socket
import struct
from pathlib import Path

from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.egress import bpf, contents, tc
from nfmasq.diversion.egress.contents import Entries, differing
from nfmasq.diversion.egress.object import BadObject, Object, read

__all__ = ["DROPS", "EgressGuard", "remove_all", "unavailable"]

DROPS = ("external", "quoted", "own_answer", "spoofed")
"""What the program counts, in the order of its map; the words are those of the guard's rules."""

_OBJECT = Path(__file__).with_name("program.bpf.o")
_LICENSE = "GPL"
_WITHOUT = (
    "give nfmasq CAP_BPF, on a kernel with CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS"
)


class EgressGuard:
    """The egress program of one daemon."""

    def __init__(self) -> None:
        self._loaded: _Loaded | None = None
        self._attached: dict[int, str] = {}
        self._made_of: tuple[DiversionPlan, dict[str, int]] | None = None

    def install(self, plan: DiversionPlan) -> None:
        """Guard every external interface that is there, as the plan says. Raises DiversionUnavailable."""
        self._made_of = None
        try:
            indices = _indices()
            if self._loaded is None:
                self._loaded = _Loaded()
            self._loaded.fill(plan, indices)
            self._detach_others(plan, indices)
            for name in plan.outside:
                if (index := indices.get(name)) is not None:
                    tc.attach(index, self._loaded.program)
                    self._attached[index] = name
        except (OSError, BadObject) as error:
            self._unload()  # what the maps hold is unknown: the next try begins anew, the filters stay
            raise DiversionUnavailable(_explained(error)) from None
        self._made_of = plan, indices

    def keep(self, plan: DiversionPlan) -> bool:
        """Install for another plan, for other interfaces, or if it is gone; return whether it was gone.

        Raises DiversionUnavailable.
        """
        try:
            gone = self._made_of is not None and not self.present()
            if gone or self._made_of != (plan, _indices()):
                self.install(plan)
        except OSError as error:
            raise DiversionUnavailable(_explained(error)) from None
        return gone

    def remove(self) -> None:
        """Take the program off every interface, an earlier process's too. Raises DiversionUnavailable."""
        self._attached.clear()
        self._unload()
        remove_all()

    def present(self) -> bool:
        """Is the program on every interface it was attached to and that is still there?"""
        there = set(tc.interfaces())
        self._attached = {index: name for index, name in self._attached.items() if index in there}
        return self._loaded is not None and all(map(tc.attached, self._attached))

    def dropped(self) -> dict[str, int]:
        """How many packets this process's program dropped, by DROPS; {} without one."""
        loaded = self._loaded
        return {} if loaded is None else dict(zip(DROPS, loaded.counts(), strict=True))

    def _unload(self) -> None:
        if self._loaded is not None:
            self._loaded.close()
        self._loaded = self._made_of = None

    def _detach_others(self, plan: DiversionPlan, indices: dict[str, int]) -> None:
        """Leave the interfaces that are external no more."""
        names = {index: name for name, index in indices.items()}
        if not self._attached:  # an earlier process may have left some on interfaces that are inside now
            for index in tc.interfaces():
                if names.get(index) in (*plan.internal, *plan.unguarded) and tc.attached(index):
                    tc.detach(index)
        for index, name in list(self._attached.items()):
            now = names.get(index)
            if now is None:
                del self._attached[index]
            elif name not in plan.outside or now in (*plan.internal, *plan.unguarded):
                tc.detach(index)
                del self._attached[index]


class _Loaded:
    """A loaded program and its maps."""

    def __init__(self) -> None:
        built = read(_OBJECT.read_bytes())
        self._maps: dict[str, int] = {}
        self._networks: Entries = {}
        self._interfaces: Entries = {}
        try:
            for name, shape in built.maps.items():
                self._maps[name] = bpf.make_map(shape)
            self.program = self._load(built)
        except BaseException:
            self._close_maps()
            raise

    def _load(self, built: Object) -> int:
        places = ((place, self._maps[name]) for place, name in built.places)
        return bpf.load(bpf.bound(built.instructions, places), _LICENSE, tc.NAME)

    def fill(self, plan: DiversionPlan, indices: dict[str, int]) -> None:
        """Make the maps as the plan says."""
        bpf.update(self._maps["ports"], contents.ZERO, contents.ports(plan))
        bpf.update(self._maps["usual"], contents.ZERO, contents.usual(plan))
        self._interfaces = self._change("interfaces", self._interfaces, contents.interfaces(plan, indices))
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
        """Give up this process's hold on program and maps; filters keep theirs."""
        os.close(self.program)
        self._close_maps()

    def _close_maps(self) -> None:
        for number in self._maps.values():
            os.close(number)
        self._maps.clear()


def _indices() -> dict[str, int]:
    """The index of each interface, by name."""
    return {name: index for index, name in socket.if_nameindex()}


def remove_all() -> None:
    """Take the program off every interface of this network namespace. Raises DiversionUnavailable."""
    for index in tc.interfaces():
        try:
            tc.detach(index)
        except OSError as error:
            raise DiversionUnavailable(f"the egress program could not be removed: {error.strerror}") from None


def unavailable() -> str:
    """Why the program cannot be loaded here, with the remedy; "" when it can. Leaves nothing behind."""
    try:
        _Loaded().close()
    except (OSError, BadObject) as error:
        return _explained(error)
    return ""


def _explained(error: Exception) -> str:
    why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return f"no egress program ({why}): a flush of all rules opens the way until they are back; {_WITHOUT}"

"""The egress program: the guard's second line, which no flush of a ruleset reaches.

`program.c` says what it drops. It stands at the tc egress of every external interface, and with hairpinning
of every internal one, by the interface's index. So it stays when rules are flushed, when the daemon is away,
and when an interface gets another name.

What is stored: the programs and maps as this process loaded them; the interfaces that have a program, and
those that are internal, each with its name at that time. Only install() and remove() write these. The
kernel keeps programs and maps as long as a filter has them: they outlive the process on purpose. A later
process loads its own, filled before it takes the place of the earlier in one step. Another plan changes the
maps alone.

An interface that got another name stays guarded, and internal, until remove(), unless the plan names it for
something else.
"""

import socket
from collections.abc import Iterable

from nfmasq.diversion.backend import DiversionPlan, DiversionUnavailable
from nfmasq.diversion.egress import contents, tc
from nfmasq.diversion.egress.loaded import DROPS, Loaded
from nfmasq.diversion.egress.object import EXTERNAL, INTERNAL, BadObject

__all__ = ["DROPS", "EgressGuard", "remove_all", "unavailable"]

_GIVE = (
    "give nfmasq CAP_BPF (before Linux 5.8: CAP_SYS_ADMIN), in its unit by AmbientCapabilities and "
    "CapabilityBoundingSet"
)
_OTHER_KERNEL = "take a kernel with CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS"

Names = dict[int, str]
"""Names of interfaces by index, as they were once."""


class EgressGuard:
    """The egress program of one daemon."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None
        self._attached: Names = {}
        self._inside: Names = {}
        self._made_of: tuple[DiversionPlan, dict[str, int]] | None = None

    def install(self, plan: DiversionPlan) -> None:
        """Guard every interface that is there, as the plan says. Raises DiversionUnavailable."""
        self._made_of = None
        try:
            indices = _indices()
            if self._loaded is None:
                self._loaded = Loaded()
            self._inside = _still(self._inside, plan.internal, plan, indices)
            self._inside |= {indices[name]: name for name in plan.internal if name in indices}
            self._loaded.fill(plan, contents.interfaces(plan, indices, self._inside))
            wanted = _wanted(plan)
            self._detach_others(plan, indices, wanted)
            for name, program in wanted.items():
                if (index := indices.get(name)) is not None:
                    tc.attach(index, self._loaded.programs[program])
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

    def _detach_others(self, plan: DiversionPlan, indices: dict[str, int], wanted: dict[str, str]) -> None:
        """Leave the interfaces that the plan guards no more. Those it does are replaced in one step."""
        if not self._attached:  # an earlier process may have left some on interfaces that are others now
            left = {indices[name]: name for name in (*plan.internal, *plan.unguarded) if name in indices}
            self._attached = {index: name for index, name in left.items() if tc.attached(index)}
        kept = _still(self._attached, wanted, plan, indices)
        kept |= {indices[name]: name for name in wanted if name in indices}
        for index in self._attached.keys() & set(indices.values()) - kept.keys():
            tc.detach(index)
        self._attached = {index: kept[index] for index in self._attached if index in kept}


def _wanted(plan: DiversionPlan) -> dict[str, str]:
    """The program of each interface that is guarded, by name."""
    inside = dict.fromkeys(plan.internal if plan.hairpinning else (), INTERNAL)
    return {**inside, **dict.fromkeys(plan.outside, EXTERNAL)}


def _still(then: Names, wanted: Iterable[str], plan: DiversionPlan, indices: dict[str, int]) -> Names:
    """Those of `then` that are there, by whatever name, if the plan has no other use for the new name."""
    now = {index: name for name, index in indices.items()}
    named = {*plan.internal, *plan.outside, *plan.unguarded}
    return {
        index: name
        for index, name in then.items()
        if name in wanted and index in now and (now[index] == name or now[index] not in named)
    }


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
        Loaded().close()
    except (OSError, BadObject) as error:
        return _explained(error)
    return ""


def _explained(error: Exception) -> str:
    why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    remedy = _GIVE if isinstance(error, PermissionError) else _OTHER_KERNEL
    return (
        f"no egress program ({why}): after a flush of all rules, packets leave untranslated until forwarding "
        f"stops, and connections may break; {remedy}"
    )

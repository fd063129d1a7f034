"""The whole lab: network, servers, sentinel, and on the router nfmasq or the kernel's MASQUERADE.

What is stored: what the parts store, and nothing besides; they end in the opposite order of their start.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack
from ipaddress import IPv4Address
from typing import TypeVar

from nfmasq.lab.foreign import iptables
from nfmasq.lab.payload import BLOCK, Payload
from nfmasq.lab.programs import Servers
from nfmasq.lab.router import DaemonUnderLab, Overrides
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.topology import Masquerade, Topology

T = TypeVar("T")

KERNEL_RULES = ("-t nat -A POSTROUTING -o wan0 -j MASQUERADE",)
"""What the kernel masquerades by, unless the lab is given other rules."""


class Lab:
    """A context manager; `daemon` is None where the kernel masquerades instead.

    The sentinel lets the router send from its external address only, and from those in `also_external`.
    prepare: called with the lab when network and servers are there, and the router does not translate yet.
    kernel_rules: arguments of iptables that make the kernel masquerade.
    megabytes: of the file that is carried about.
    """

    topology: Topology
    payload: Payload
    sentinel: Sentinel
    daemon: DaemonUnderLab | None

    def __init__(
        self,
        *,
        masquerade: Masquerade = "none",
        config: Overrides | None = None,
        lan_mtu: int | None = None,
        far_mtu: int | None = None,
        also_external: Iterable[IPv4Address] = (),
        prepare: "Callable[[Lab], None] | None" = None,
        kernel_rules: Sequence[str] = KERNEL_RULES,
        megabytes: int = 100,
    ) -> None:
        self._also_external = tuple(also_external)
        self._masquerade: Masquerade = masquerade
        self._config = config
        self._lan_mtu, self._far_mtu = lan_mtu, far_mtu
        self._prepare, self._kernel_rules = prepare, kernel_rules
        self._megabytes = megabytes
        self._open = ExitStack()

    def __enter__(self) -> "Lab":
        try:
            self._build()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def enter(self, part: AbstractContextManager[T]) -> T:
        """Have another part, until the lab ends."""
        return self._open.enter_context(part)

    def _build(self) -> None:
        by_kernel = self._masquerade == "kernel"
        self.payload = self.enter(Payload(self._megabytes * BLOCK))
        self.topology = self.enter(
            Topology(
                masquerade="none" if by_kernel else self._masquerade,
                lan_mtu=self._lan_mtu,
                far_mtu=self._far_mtu,
            )
        )
        wan, internal = self.topology.wan, self.topology.internal
        allowed = [self.topology.external, *self._also_external]
        self.sentinel = self.enter(Sentinel(wan, "router", internal, allowed))
        self.enter(Servers((self.topology.server1, self.topology.server2), self.payload))
        if self._prepare is not None:
            self._prepare(self)
        self.daemon = None
        if by_kernel:
            iptables(self.topology.router, *self._kernel_rules)
        if self._masquerade == "none":
            self.daemon = self.enter(DaemonUnderLab(self.topology, self._config))

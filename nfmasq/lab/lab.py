"""The whole lab: network, servers, sentinel, and on the router nfmasq or the kernel's MASQUERADE.

What is stored: what the parts store, and nothing besides; they end in the opposite order of their start.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from ipaddress import IPv4Address

from nfmasq.lab.payload import Payload
from nfmasq.lab.programs import Servers
from nfmasq.lab.router import DaemonUnderLab, Overrides
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.topology import Masquerade, Topology


class Lab:
    """A context manager; `daemon` is None where the kernel masquerades instead.

    The sentinel lets the router send from its external address only, and from those in `also_external`.
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
    ) -> None:
        self._also_external = tuple(also_external)
        self._masquerade: Masquerade = masquerade
        self._config = config
        self._lan_mtu, self._far_mtu = lan_mtu, far_mtu
        self._open = ExitStack()

    def __enter__(self) -> "Lab":
        with ExitStack() as stack:
            self.payload = stack.enter_context(Payload())
            self.topology = stack.enter_context(
                Topology(masquerade=self._masquerade, lan_mtu=self._lan_mtu, far_mtu=self._far_mtu)
            )
            wan, internal = self.topology.wan, self.topology.internal
            allowed = [self.topology.external, *self._also_external]
            self.sentinel = stack.enter_context(Sentinel(wan, "router", internal, allowed))
            stack.enter_context(Servers((self.topology.server1, self.topology.server2), self.payload))
            self.daemon = None
            if self._masquerade == "none":
                self.daemon = stack.enter_context(DaemonUnderLab(self.topology, self._config))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

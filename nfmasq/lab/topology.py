"""The lab's network: two clients behind a router, and two servers that know nothing of the clients' network.

    client1 .10 ─┐                                        ┌─ server1 203.0.113.10
                 ├─ lan ── lan0 router wan0 ── wan ───────┤
    client2 .20 ─┘   192.168.1.1   203.0.113.2            └─ isp 203.0.113.1 ── far ── server2 198.51.100.20

`lan` and `wan` are switches (a bridge in a namespace of its own), so that a listener on `wan` sees what
the router really put on the wire. server2 is one hop further away, behind `isp`: traceroute has something to
show, and the far cable may have a smaller MTU than all the others.

What is stored: the namespaces. They are anonymous and live as long as this process.
"""

from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from nfmasq.lab.namespace import Namespace, join

Masquerade = Literal["none", "kernel", "plain"]
"""What the router does before a daemon comes: nothing; the kernel's MASQUERADE; or plain forwarding, with
routes back to the LAN on the outside."""

INTERNAL = IPv4Network("192.168.1.0/24")
CLIENT1 = IPv4Address("192.168.1.10")
CLIENT2 = IPv4Address("192.168.1.20")
ROUTER_INTERNAL = IPv4Address("192.168.1.1")
EXTERNAL = IPv4Address("203.0.113.2")
ISP = IPv4Address("203.0.113.1")
SERVER1 = IPv4Address("203.0.113.10")
ISP_FAR = IPv4Address("198.51.100.1")
SERVER2 = IPv4Address("198.51.100.20")


class Topology:
    """The network above, as a context manager; its namespaces are attributes by their role.

    mtu: of every cable; lan_mtu, far_mtu: of those of the LAN and of the cable between isp and server2.
    tx_offload: False disables transmit checksum offload on the router's two interfaces.
    """

    internal = INTERNAL
    client1_address = CLIENT1
    client2_address = CLIENT2
    router_internal = ROUTER_INTERNAL
    external = EXTERNAL
    isp_address = ISP
    server1_address = SERVER1
    server2_address = SERVER2

    def __init__(
        self,
        *,
        masquerade: Masquerade = "none",
        mtu: int = 1500,
        lan_mtu: int | None = None,
        far_mtu: int | None = None,
        tx_offload: bool = True,
    ) -> None:
        self.mtu = mtu
        self.lan_mtu = lan_mtu or mtu
        self.far_mtu = far_mtu or mtu
        self._masquerade = masquerade
        self._tx_offload = tx_offload
        self._open = ExitStack()

    def __enter__(self) -> "Topology":
        with ExitStack() as stack:
            self._make(stack)
            self._lay_cables()
            self._number()
            self._settle()
            if self._masquerade == "kernel":
                self.router.run(
                    "iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wan0", "-j", "MASQUERADE"
                )
            if self._masquerade == "plain":
                self.open_return_routes()
            if not self._tx_offload:
                self.set_tx_offload(False)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def everyone(self) -> tuple[Namespace, ...]:
        """Every namespace of the network, switches included."""
        return (*self.hosts, self.router, self.isp, self.lan, self.wan)

    @property
    def hosts(self) -> tuple[Namespace, ...]:
        """The clients and the servers."""
        return (self.client1, self.client2, self.server1, self.server2)

    def set_tx_offload(self, on: bool, *namespaces: Namespace) -> None:
        """Enable or disable transmit checksum offload of cable ends: these namespaces', or the router's."""
        for namespace in namespaces or (self.router,):
            for name in self._cable_ends[namespace.role]:
                namespace.run("ethtool", "-K", name, "tx", "on" if on else "off")

    def open_return_routes(self) -> None:
        """Tell the outside the way to the LAN: for measuring plain forwarding, and nothing else."""
        self.server1.ip(f"route add {INTERNAL} via {EXTERNAL}")
        self.isp.ip(f"route add {INTERNAL} via {EXTERNAL}")
        self.server2.ip(f"route add {INTERNAL} via {ISP_FAR}")

    def _make(self, stack: ExitStack) -> None:
        def namespace(role: str) -> Namespace:
            made = stack.enter_context(Namespace(role))
            made.sysctl("ipv6/conf/all/disable_ipv6", 1)
            made.sysctl("ipv6/conf/default/disable_ipv6", 1)
            return made

        self.client1, self.client2 = namespace("client1"), namespace("client2")
        self.server1, self.server2 = namespace("server1"), namespace("server2")
        self.router, self.isp = namespace("router"), namespace("isp")
        self.lan, self.wan = namespace("lan"), namespace("wan")

    def _lay_cables(self) -> None:
        for switch, mtu in ((self.lan, self.lan_mtu), (self.wan, self.mtu)):
            switch.ip(f"link add switch mtu {mtu} type bridge forward_delay 0", "link set switch up")
            _let_bad_frames_through(switch)
        join(self.lan, "client1", self.client1, "eth0", self.lan_mtu)
        join(self.lan, "client2", self.client2, "eth0", self.lan_mtu)
        join(self.lan, "router", self.router, "lan0", self.lan_mtu)
        join(self.wan, "router", self.router, "wan0", self.mtu)
        join(self.wan, "server1", self.server1, "eth0", self.mtu)
        join(self.wan, "isp", self.isp, "near", self.mtu)
        join(self.isp, "far", self.server2, "eth0", self.far_mtu)
        self.lan.ip(*(f"link set {port} master switch" for port in ("client1", "client2", "router")))
        self.wan.ip(*(f"link set {port} master switch" for port in ("router", "server1", "isp")))
        self._cable_ends = {host.role: ("eth0",) for host in self.hosts} | {
            "router": ("lan0", "wan0"),
            "isp": ("near", "far"),
        }

    def _number(self) -> None:
        for client, address in ((self.client1, CLIENT1), (self.client2, CLIENT2)):
            client.ip(f"address add {address}/24 dev eth0", f"route add default via {ROUTER_INTERNAL}")
        self.router.ip(
            f"address add {ROUTER_INTERNAL}/24 dev lan0",
            f"address add {EXTERNAL}/24 dev wan0",
            f"route add default via {ISP}",
        )
        self.server1.ip(f"address add {SERVER1}/24 dev eth0")
        self.isp.ip(f"address add {ISP}/24 dev near", f"address add {ISP_FAR}/24 dev far")
        self.server2.ip(f"address add {SERVER2}/24 dev eth0", f"route add 203.0.113.0/24 via {ISP_FAR}")

    def _settle(self) -> None:
        """Two routers that forward, spoofed sources left for nfmasq to catch, no limit on ICMP errors."""
        for namespace in (self.router, self.isp):
            namespace.sysctl("ipv4/ip_forward", 1)
            for interface in ("all", "default", *self._cable_ends[namespace.role]):
                namespace.sysctl(f"ipv4/conf/{interface}/rp_filter", 0)
                namespace.sysctl(f"ipv4/conf/{interface}/send_redirects", 0)
        for namespace in (*self.hosts, self.router, self.isp):
            namespace.sysctl("ipv4/icmp_ratelimit", 0)


def _let_bad_frames_through(switch: Namespace) -> None:
    """A switch looks at no IP header; a Linux bridge with bridge netfilter does, and drops bad ones."""
    for family in ("iptables", "arptables"):
        with suppress(FileNotFoundError):
            switch.sysctl(f"bridge/bridge-nf-call-{family}", 0)

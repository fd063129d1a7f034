"""The shortest way a packet can take through a router: one client, one server, a cable to each.

The server has no route back to the client's network, as on the Internet.
"""

import socket
from typing import Self

from nfmasq.lab.namespace import Namespace, join

CLIENT = "192.168.1.2"
ROUTER_INSIDE = "192.168.1.1"
EXTERNAL = "203.0.113.1"
SERVER = "203.0.113.9"
PORT = 5000
QUEUE = 7

UDP_SEGMENT = 103  # linux/udp.h


class Path:
    """client c0 — lan0 router wan0 — s0 server; the router forwards and has no rules."""

    def __init__(self) -> None:
        self.client, self.router, self.server = (Namespace(role) for role in ("client", "router", "server"))
        join(self.client, "c0", self.router, "lan0")
        join(self.router, "wan0", self.server, "s0")
        self.client.ip(f"address add {CLIENT}/24 dev c0", f"route add default via {ROUTER_INSIDE}")
        self.router.ip(f"address add {ROUTER_INSIDE}/24 dev lan0", f"address add {EXTERNAL}/24 dev wan0")
        self.server.ip(f"address add {SERVER}/24 dev s0")
        self.router.sysctl("ipv4/ip_forward", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in (self.client, self.router, self.server):
            namespace.close()

    def iptables(self, *rules: str) -> None:
        """Lay rules on the router: iptables("-t raw -A PREROUTING -j DROP")."""
        for rule in rules:
            self.router.run("iptables", "-w", *rule.split())

    def divert_outbound(self, queue: int = QUEUE) -> None:
        """Queue what leaves by wan0, in POSTROUTING."""
        self.iptables(f"-t mangle -A POSTROUTING -o wan0 -j NFQUEUE --queue-num {queue}")

    def divert_on_arrival(self, queue: int = QUEUE) -> None:
        """Queue UDP and TCP from the client before connection tracking, as inbound packets are."""
        self.iptables(
            f"-t raw -A PREROUTING -i lan0 -p udp -j NFQUEUE --queue-num {queue}",
            f"-t raw -A PREROUTING -i lan0 -p tcp -j NFQUEUE --queue-num {queue}",
        )

    def sender(self, segment: int = 0) -> socket.socket:
        """The client's UDP socket towards the server; with `segment` it hands the kernel UDP GSO packets."""
        opened: socket.socket = self.client.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        opened.connect((SERVER, PORT))
        if segment:
            opened.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, segment)
        return opened

    def receiver(self) -> socket.socket:
        """The server's UDP socket."""
        opened: socket.socket = self.server.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind((SERVER, PORT))
        opened.settimeout(5)
        return opened

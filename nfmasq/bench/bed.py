"""A bed: client, router and server, each in a namespace of its own, with one variant on the router.

    client 192.168.1.2 ── lan0 192.168.1.1 router 198.51.100.1 wan0 ── server 198.51.100.9

What is stored: the namespaces, and the router's program where the variant has one. All end with this process.
"""

import time
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from nfmasq.bench import programs
from nfmasq.bench.family import family_of
from nfmasq.bench.reading import BenchError
from nfmasq.bench.variants import Variant
from nfmasq.lab.namespace import Namespace, join
from nfmasq.lab.waiting import wait_until
from nfmasq.lab.wire import hardware_address
from nfmasq.machine.queues import kernel_queues

INTERNAL = IPv4Network("192.168.1.0/24")
CLIENT = IPv4Address("192.168.1.2")
ROUTER_INTERNAL = IPv4Address("192.168.1.1")
EXTERNAL = IPv4Address("198.51.100.1")
SERVER = IPv4Address("198.51.100.9")

CLIENT_PORTS = "32768 49151"
"""Ports a client's connections begin at: fewer than nfmasq has to hand out, and taken again and again."""

RECEIVED_BYTES, RECEIVED_PACKETS, SENT_PACKETS = 0, 1, 9
"""Columns of /proc/net/dev."""

MOST_TIME_WAIT = 1_000_000
DRAIN_WITHIN_S = 30.0


class Bed:
    """A context manager; its namespaces are `client`, `router`, `server`.

    The client sends by `client_interface` as `client_address`; where the variant translates, the server sees
    `external`.

    workers: how many of them a program that counts has, unless its variant says how many.
    senders: how many processes send small packets.
    """

    def __init__(self, variant: Variant, workers: int, senders: int) -> None:
        self.variant = variant
        self.senders = senders
        self.client_interface, self.client_address = "eth0", CLIENT
        self.external = variant.external or EXTERNAL
        self._workers = variant.workers or workers
        self._program: programs.Program | None = None
        self._open = ExitStack()

    def __enter__(self) -> "Bed":
        with ExitStack() as stack:
            self.client, self.router, self.server = (
                stack.enter_context(Namespace(role)) for role in ("client", "router", "server")
            )
            self._lay_cables()
            self._settle()
            self._set_the_router_up()
            stack.callback(self._kill_the_program)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _lay_cables(self) -> None:
        for namespace in (self.client, self.router, self.server):
            namespace.sysctl("ipv6/conf/all/disable_ipv6", 1)
            namespace.sysctl("ipv6/conf/default/disable_ipv6", 1)
        join(self.client, "eth0", self.router, "lan0")
        join(self.router, "wan0", self.server, "eth0")
        self.client.ip(f"address add {CLIENT}/24 dev eth0", f"route add default via {ROUTER_INTERNAL}")
        self.router.ip(
            f"address add {ROUTER_INTERNAL}/24 dev lan0",
            f"address add {EXTERNAL}/24 dev wan0",
        )
        self.server.ip(f"address add {SERVER}/24 dev eth0")
        if self.external != EXTERNAL:
            self.server.ip(f"route add {self.external} via {EXTERNAL}")
        if not self.variant.translates:
            self.server.ip(f"route add {INTERNAL} via {EXTERNAL}")

    def _settle(self) -> None:
        self.router.sysctl("ipv4/ip_forward", 1)
        for interface in ("all", "lan0", "wan0"):
            self.router.sysctl(f"ipv4/conf/{interface}/rp_filter", 0)
        self.client.sysctl("ipv4/ip_local_port_range", CLIENT_PORTS)
        self.server.sysctl("ipv4/tcp_max_tw_buckets", MOST_TIME_WAIT)

    def _set_the_router_up(self) -> None:
        variant = self.variant
        if variant.tap is not None:
            self.router.ip(f"route add default via {SERVER}")
            self._program = variant.tap.start(self.router, self.client)
            self.client_interface, self.client_address = variant.tap.device, variant.tap.client
        elif variant.program is not None:
            workers = (str(self._workers),) if variant.counts else ()
            self._program = programs.start(self.router, variant.program, *variant.arguments, *workers)
        elif variant.translates:
            self.router.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", "wan0", "-j", "MASQUERADE")

    def next_hop(self) -> bytes:
        """The hardware address the client's frames go to, once it has sent something."""
        tap = self.variant.tap
        return hardware_address(self.router, "lan0") if tap is None else tap.next_hop(self.client)

    def offered(self) -> tuple[int, float]:
        """Packets the client has sent so far, and when that was, in seconds of the monotonic clock."""
        return self._count(self.client, self.client_interface, SENT_PACKETS)

    def arrived(self, column: int = RECEIVED_PACKETS, *, inwards: bool = False) -> tuple[int, float]:
        """Packets, or what else that column counts, the server has received so far, and when that was.

        inwards: the client has, by what it sends by.
        """
        if inwards:
            return self._count(self.client, self.client_interface, column)
        return self._count(self.server, "eth0", column)

    def received_by_router(self) -> tuple[int, float]:
        """Packets the router's IP layer has received so far, by whatever interface, and when that was."""

        def read() -> tuple[int, float]:
            with open("/proc/thread-self/net/snmp", encoding="ascii") as file:
                names, values = (line.split() for line in (file.readline(), file.readline()))
            return int(values[names.index("InReceives")]), time.monotonic()

        found: tuple[int, float] = self.router.call(read)
        return found

    def _count(self, where: Namespace, interface: str, column: int) -> tuple[int, float]:

        def read() -> tuple[int, float]:
            with open("/proc/thread-self/net/dev", encoding="ascii") as file:
                lines = file.read().splitlines()
            now = time.monotonic()
            shown = next(line for line in lines if line.strip().startswith(f"{interface}:"))
            return int(shown.partition(":")[2].split()[column]), now

        found: tuple[int, float] = where.call(read)
        return found

    def processor_time(self) -> float:
        """Seconds of processor time the router's program has used; 0 where there is none.

        With what it did in the kernel: that is where the packets it has answered go on.
        """
        spent = (Path(f"/proc/{task}/schedstat") for task in self.router_tasks())
        return sum(int(file.read_text(encoding="ascii").split()[0]) for file in spent) / 1e9

    def router_tasks(self) -> list[int]:
        """The threads of the router's program, and of every program it has started."""
        family = () if self._program is None else family_of(self._program.pid)
        return [int(task.name) for pid in family for task in Path(f"/proc/{pid}/task").iterdir()]

    def drain(self) -> None:
        """Wait until no packet waits in a queue of the router any more."""
        if self._program is None:
            return

        def empty() -> bool:
            return not any(queue.waiting for queue in self.router.call(kernel_queues).values())

        try:
            wait_until(empty, "the router's queues to be empty", DRAIN_WITHIN_S)
        except TimeoutError as error:
            raise BenchError(str(error)) from None

    def finish(self) -> dict[str, Any]:
        """End the router's program and return what it counted; nothing where it counts nothing."""
        if self._program is None or not self.variant.counts:
            return {}
        program, self._program = self._program, None
        return programs.answer_of(program)

    def _kill_the_program(self) -> None:
        if self._program is not None:
            programs.kill(self._program)

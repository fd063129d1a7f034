"""The ground of the checks: the lab's network with nfmasq on its router, and hosts that are mere addresses.

What is stored: the network, the daemon, a wire to each cable's end, and the external endpoints of the markers
(`host`). The daemon has one worker, whose queues keep packet and marker in order.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from ipaddress import IPv4Address
from typing import Any

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import ICMP, Endpoint, Seen, read, udp
from nfmasq.lab.rfc.host import MARKER, Host, arriving
from nfmasq.lab.rfc.not_met import NotMet
from nfmasq.lab.rfc.way import CLIENT, HOP, OTHER_CLIENT, OTHER_SERVER, SERVER, Way
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.topology import Topology
from nfmasq.lab.wire import Wire, hardware_address

CONFIG = {"engine": {"workers": 1}}


class Ground(Way):
    """A context manager: the network, the daemon and the hosts."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._markers: dict[tuple[IPv4Address, IPv4Address], Endpoint] = {}

    def __enter__(self) -> "Ground":
        with ExitStack() as stack:
            self.net = stack.enter_context(Topology())
            self.sentinel = stack.enter_context(
                Sentinel(self.net.wan, "router", self.net.internal, [self.net.external])
            )
            self.daemon = stack.enter_context(DaemonUnderLab(self.net, CONFIG))
            self._base = deepcopy(self.daemon.config)
            self._hosts = dict(self._make_hosts(stack))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def __getitem__(self, address: IPv4Address) -> Host:
        return self._hosts[address]

    @contextmanager
    def config(self, **sections: Any) -> Iterator[None]:
        """Have the daemon reload with these sections laid over the usual ones, and back again at the end."""
        self._reload(sections)
        try:
            yield
        finally:
            self._reload({})

    def out(self, packet: bytes) -> bytes | None:
        """A packet leaves."""
        caught = self.all_out([packet], at_least=1)
        return caught[0] if caught else None

    def all_out(self, packets: list[bytes], at_least: int) -> list[bytes]:
        """Packets leave one after the other; what reaches their destination, in its order there.

        at_least: how many packets that ought to be.
        """
        source, destination = (IPv4Address(packets[0][at : at + 4]) for at in (12, 16))
        inside, outside = self._hosts[source], self._hosts[destination]
        outside.ignore()
        return arriving(inside, packets, udp(inside.marker, outside.marker, MARKER), outside, at_least)

    def into(self, packet: bytes, to: IPv4Address = CLIENT) -> bytes | None:
        """A packet arrives from outside, from whatever address."""
        caught = self.all_into([packet], to, at_least=1)
        return caught[0] if caught else None

    def all_into(self, packets: list[bytes], to: IPv4Address, at_least: int) -> list[bytes]:
        """As `all_out`, for packets that arrive from outside; what reaches this internal host."""
        inside = self._hosts[to]
        outside = self._hosts.get(read(packets[0]).source[0], self._hosts[SERVER])
        marked = self._marked(inside, outside)
        inside.ignore()
        return arriving(outside, packets, udp(outside.marker, marked, MARKER), inside, at_least)

    def answered(self, packet: bytes, what: str, **fields: Any) -> Seen:
        """An internal host sends this packet; the ICMP message with these fields that it gets in answer.

        Sent up to three times: the kernel sends a host no more than one "unreachable" a second. One about an
        earlier packet may come late.
        """
        inside = self._hosts[read(packet).source[0]]
        inside.ignore()
        for _ in range(3):
            inside.send(packet)
            with suppress(NotMet):
                seen = read(inside.expect(what, ICMP, 1.1, **fields))
                if seen.quoted.source == read(packet).source:
                    return seen
        raise NotMet(f"{inside.address} did not get {what}")

    def drops(self, reason: str) -> int:
        """How many packets were dropped for this reason so far."""
        return self.daemon.drops().get(reason, 0)

    def _reload(self, sections: dict[str, Any]) -> None:
        self.daemon.config = deepcopy(self._base)
        self.daemon.write_config(sections)
        answer = self.daemon.api("/v1/reload", "POST")
        if not answer["reloaded"]:
            raise NotMet(f"the daemon does not take the configuration: {answer['errors']}")

    def _marked(self, inside: Host, outside: Host) -> Endpoint:
        """The external endpoint of the inner host's marker, which the outer one may send to."""
        ends = inside.address, outside.address
        if ends not in self._markers:
            outside.ignore()
            inside.send(udp(inside.marker, outside.marker, MARKER))
            found = outside.wire.expect(lambda packet: read(packet).payload == MARKER)
            self._markers[ends] = read(found).source
        return self._markers[ends]

    def _make_hosts(self, stack: ExitStack) -> Iterator[tuple[IPv4Address, Host]]:
        net = self.net
        router_lan, router_wan, isp = (net.router, "lan0"), (net.router, "wan0"), (net.isp, "far")
        wires: dict[Namespace, Wire] = {}
        for address, place, gateway in (
            (CLIENT, net.client1, router_lan),
            (OTHER_CLIENT, net.client2, router_lan),
            (SERVER, net.server1, router_wan),
            (HOP, net.server1, router_wan),
            (OTHER_SERVER, net.server2, isp),
        ):
            if place not in wires:
                wires[place] = stack.enter_context(Wire(place, "eth0", gateway))
            host = Host(address, wires[place])
            link = hardware_address(place, "eth0").hex(":")
            for each in (address, host.marker[0]):
                gateway[0].ip(f"neighbour replace {each} lladdr {link} dev {gateway[1]} nud permanent")
            yield address, host

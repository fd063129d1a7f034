"""The sentinel on the LAN: what no internal host may ever see of the router.

Four things are leaks. A packet for an address that is not internal was not translated on its way in. A
hairpinned packet must not show the internal address of another host. An ICMP error must not quote a packet
that its receiver never sent. A TCP RST is a leak only in a test whose connections should all live.
"""

import socket
from ipaddress import IPv4Address, IPv4Network

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import ERRORS
from nfmasq.lab.sentinel import Sentinel
from nfmasq.lab.sentinel_filter import suspicious_inside

_OFFSET = 0x1FFF
"""Bits of the fragment field that say where a fragment lies. Only the first one has a transport header."""
_FLAGS, _RST = 13, 0x04
"""Where a TCP header has its flags, and the bit of an RST."""
_WHOLE_QUOTE = 28
"""Bytes of an ICMP error whose quote has a whole IP header."""


class LanSentinel(Sentinel):
    """Listens at the switch port of the LAN at which the router's cable ends. `leaks` must stay empty.

    router: its address on the LAN, by which it may speak for itself.
    """

    def __init__(
        self, namespace: Namespace, interface: str, internal_network: IPv4Network, router: IPv4Address
    ) -> None:
        self._router = router
        super().__init__(namespace, interface, internal_network)

    def _filter(self) -> bytes:
        return suspicious_inside(self._internal)

    def _judge(self, frame: bytes) -> None:
        if leak := self._leak(frame[14:]):
            self._report(f"{leak} on the LAN: {frame[14:78].hex()}")

    def _leak(self, packet: bytes) -> str:
        source, destination = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
        if destination.is_multicast or destination == self._internal.broadcast_address:
            return ""
        if destination not in self._internal:
            return f"untranslated destination {destination}"
        if source in self._internal and source != self._router:
            return f"internal source {source}"
        if int.from_bytes(packet[6:8], "big") & _OFFSET:
            return ""
        return self._leak_of_transport(packet[9], packet[(packet[0] & 0x0F) * 4 :], destination)

    def _leak_of_transport(self, protocol: int, message: bytes, receiver: IPv4Address) -> str:
        if protocol == socket.IPPROTO_TCP and len(message) > _FLAGS and message[_FLAGS] & _RST:
            return "a TCP RST"
        if protocol == socket.IPPROTO_ICMP and len(message) >= _WHOLE_QUOTE and message[0] in ERRORS:
            quoted = IPv4Address(message[20:24])
            if quoted != receiver:
                return f"an ICMP error that quotes the source {quoted}"
        return ""

"""What the kernel's own MASQUERADE lets out: the reason why nfmasq drops what it cannot translate."""

import socket
import struct

import pytest
from support.path import CLIENT, EXTERNAL, PORT, SERVER, Path
from support.wire import TCP, UDP, Wire

from nfmasq.lab.packets import checksum

pytestmark = pytest.mark.root


def _tcp_without_flags() -> bytes:
    segment = struct.pack("!HHIIBBHHH", 4000, PORT, 1, 0, 5 << 4, 0, 8192, 0, 0)
    pseudo = socket.inet_aton(CLIENT) + socket.inet_aton(SERVER) + struct.pack("!HH", TCP, len(segment))
    total = checksum(pseudo + segment)
    return segment[:16] + struct.pack("!H", total) + segment[18:]


def test_masquerade_lets_a_segment_it_calls_invalid_out_with_its_internal_source(path: Path) -> None:
    path.iptables("-t nat -A POSTROUTING -o wan0 -j MASQUERADE")
    raw: socket.socket = path.client.call(socket.socket, socket.AF_INET, socket.SOCK_RAW, TCP)
    with raw, path.sender() as sender, Wire(path.server, "s0") as wire:
        sender.send(b"translated")
        raw.sendto(_tcp_without_flags(), (SERVER, 0))
        seen = wire.until(lambda packet: packet.protocol == TCP)
        assert {packet.source for packet in seen if packet.protocol == UDP} == {EXTERNAL}
        assert seen[-1].source == CLIENT

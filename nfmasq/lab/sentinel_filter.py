"""The sentinel's filter: classic BPF that passes the frames which are leaks, or may be.

Hard to judge in the kernel are ARP, IP options and ICMP errors, so these frames pass too.
"""

import ctypes
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from nfmasq.lab.packets import ERRORS

ETH_P_IP, ETH_P_ARP = 0x0800, 0x0806
KEPT_BYTES = 2048
"""Of a frame that passes."""

_PACKET_OUTGOING = 4
_SO_ATTACH_FILTER = 26
_LD_WORD, _LD_HALF, _LD_BYTE = 0x20, 0x28, 0x30
_LD_BYTE_BEHIND_LENGTH, _LD_BYTE_BEHIND = 0xB1, 0x50
"""X becomes the length of the IP header that begins at the operand; a byte at the operand + X."""
_AND, _JEQ, _JSET, _RET = 0x54, 0x15, 0x45, 0x06
_RST = 0x04
_PACKET_TYPE = (
    0xFFFFF000 + 4
)  # SKF_AD_OFF + SKF_AD_PKTTYPE: what the socket says of the frame, not in the frame

_Instruction = tuple[int, int, str | None, str | None]
_Line = tuple[str, _Instruction]


def _assemble(lines: Sequence[_Line]) -> bytes:
    """Classic BPF from (label, (code, operand, label if true, label if false)); no label: the next line."""
    at = {label: index for index, (label, _) in enumerate(lines) if label}

    def step(target: str | None, index: int) -> int:
        return 0 if target is None else at[target] - index - 1

    return b"".join(
        struct.pack("=HBBI", code, step(true, index), step(false, index), operand)
        for index, (_, (code, operand, true, false)) in enumerate(lines)
    )


def suspicious(internal: IPv4Network, allowed: Sequence[IPv4Address]) -> bytes:
    """The filter: pass up a frame the router sent which is a leak, or may be one."""
    mask, network = int(internal.netmask), int(internal.network_address)
    if allowed:
        source: list[_Line] = [
            *(("", (_JEQ, int(address), "destination", None)) for address in allowed),
            ("", (_RET, KEPT_BYTES, None, None)),
        ]
    else:
        source = [("", (_AND, mask, None, None)), ("", (_JEQ, network, "keep", None))]
    lines: list[_Line] = [
        ("", (_LD_WORD, _PACKET_TYPE, None, None)),
        ("", (_JEQ, _PACKET_OUTGOING, "ignore", None)),
        ("", (_LD_HALF, 12, None, None)),
        ("", (_JEQ, ETH_P_ARP, "keep", None)),
        ("", (_JEQ, ETH_P_IP, None, "ignore")),
        ("", (_LD_WORD, 26, None, None)),
        *source,
        ("destination", (_LD_WORD, 30, None, None)),
        ("", (_AND, mask, None, None)),
        ("", (_JEQ, network, "keep", None)),
        ("", (_LD_BYTE, 14, None, None)),
        ("", (_JEQ, 0x45, None, "keep")),
        ("", (_LD_BYTE, 23, None, None)),
        ("", (_JEQ, socket.IPPROTO_ICMP, None, "ignore")),
        ("", (_LD_HALF, 20, None, None)),
        ("", (_JSET, 0x1FFF, "ignore", None)),
        ("", (_LD_BYTE, 34, None, None)),
        *(("", (_JEQ, kind, "keep", None)) for kind in ERRORS),
        ("ignore", (_RET, 0, None, None)),
        ("keep", (_RET, KEPT_BYTES, None, None)),
    ]
    return _assemble(lines)


def suspicious_inside(internal: IPv4Network) -> bytes:
    """The filter for the LAN: pass up a frame the router sent that no internal host should see, or may be."""
    mask, network = int(internal.netmask), int(internal.network_address)
    return _assemble([
        ("", (_LD_WORD, _PACKET_TYPE, None, None)),
        ("", (_JEQ, _PACKET_OUTGOING, "ignore", None)),
        ("", (_LD_HALF, 12, None, None)),
        ("", (_JEQ, ETH_P_IP, None, "ignore")),
        ("", (_LD_WORD, 26, None, None)),
        ("", (_AND, mask, None, None)),
        ("", (_JEQ, network, "keep", None)),
        ("", (_LD_WORD, 30, None, None)),
        ("", (_AND, mask, None, None)),
        ("", (_JEQ, network, None, "keep")),
        ("", (_LD_HALF, 20, None, None)),
        ("", (_JSET, 0x1FFF, "ignore", None)),
        ("", (_LD_BYTE, 23, None, None)),
        ("", (_JEQ, socket.IPPROTO_ICMP, "icmp", None)),
        ("", (_JEQ, socket.IPPROTO_TCP, None, "ignore")),
        ("", (_LD_BYTE_BEHIND_LENGTH, 14, None, None)),
        ("", (_LD_BYTE_BEHIND, 14 + 13, None, None)),
        ("", (_JSET, _RST, "keep", "ignore")),
        ("icmp", (_LD_BYTE_BEHIND_LENGTH, 14, None, None)),
        ("", (_LD_BYTE_BEHIND, 14, None, None)),
        *(("", (_JEQ, kind, "keep", None)) for kind in ERRORS),
        ("ignore", (_RET, 0, None, None)),
        ("keep", (_RET, KEPT_BYTES, None, None)),
    ])  # fmt: skip


def attach(sock: socket.socket, program: bytes) -> None:
    """Let the kernel run this filter on whatever the socket would receive."""
    code = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    )

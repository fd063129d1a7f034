"""What the checks read from the kernel's own files and sockets."""

import os
import socket
import struct
from pathlib import Path

CAP_NET_ADMIN, CAP_NET_RAW = 12, 13

_NETLINK_NETFILTER = 12
_QUEUE_CONFIG = 0x302
_REQUEST_ACK = 5
_CFG_CMD, _BIND = 1, 1
_HIGHEST_QUEUE = 65535


def capabilities() -> int:
    """This process's effective capabilities, one bit each."""
    for line in Path("/proc/thread-self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def sysctl(key: str) -> str | None:
    """A sysctl's value here, or None if this kernel lacks it: sysctl("net/ipv4/ip_forward")."""
    try:
        return Path("/proc/sys", key).read_text(encoding="ascii").strip()
    except OSError:
        return None


def held_queues() -> dict[int, int]:
    """The netfilter queues someone holds: number to netlink port, which is mostly the holder's process id."""
    try:
        text = Path("/proc/thread-self/net/netfilter/nfnetlink_queue").read_text(encoding="ascii")
    except OSError:
        return {}
    return {int(line.split()[0]): int(line.split()[1]) for line in text.splitlines()}


def command_line(port: int) -> list[str]:
    """The first words of the program a netlink port belongs to; none when that cannot be told."""
    try:
        words = Path(f"/proc/{port}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [word.decode(errors="replace") for word in words[:4] if word]


def bind_a_queue() -> int:
    """Bind a queue nobody holds, let it go, return its number. Raises OSError with the kernel's answer."""
    held = held_queues()
    number = next(number for number in range(_HIGHEST_QUEUE, -1, -1) if number not in held)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as netlink:
        netlink.settimeout(5)
        netlink.bind((0, 0))
        command = struct.pack("=HH", 8, _CFG_CMD) + struct.pack("!BBH", _BIND, 0, socket.AF_INET)
        body = struct.pack("!BBH", 0, 0, number) + command
        netlink.send(struct.pack("=IHHII", 16 + len(body), _QUEUE_CONFIG, _REQUEST_ACK, 1, 0) + body)
        answer = netlink.recv(4096)
    code = -struct.unpack_from("=i", answer, 16)[0]
    if code:
        raise OSError(code, os.strerror(code))
    return number


def filesystem(path: Path) -> tuple[str, str]:
    """The mount point a path lies on, and its kind: ("/run", "tmpfs")."""
    best = ("/", "unknown")
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4]
        # A later line covers an earlier one with the same mount point.
        if path.is_relative_to(point) and len(point) >= len(best[0]):
            best = (point, after.split()[0])
    return best

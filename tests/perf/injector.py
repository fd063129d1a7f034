"""Small packets without a sender: `python -m perf.injector INTERFACE FRAME`, on the router.

The kernel can test-run an XDP program with live frames (since Linux 5.18): the frames enter the stack as if
they had come in by an interface. They cost neither sender nor cable. So the router can be offered several
times its capacity by the processors it uses itself. The XDP program drops surplus packets at random. It gives
each other packet one of FLOWS source ports and no UDP checksum, which RFC 768 allows. It keeps one processor
busy at any rate.

The injector reads lines: the number of packets, of WHOLE, to let pass from now on. It runs until killed.
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from functools import partial

from nfmasq.bench.family import Child
from nfmasq.bench.reading import Unavailable

FLOWS = 64
FIRST_PORT = 20000
WHOLE = 1 << 16
HEADERS = 14 + 20 + 8
"""Bytes of a frame before what a datagram carries."""

_SYSCALL_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_PROG_LOAD, _PROG_TEST_RUN = 5, 10
_PROG_TYPE_XDP, _LIVE_FRAMES = 6, 1 << 1
_XDP_DROP, _XDP_PASS = 1, 2
_SOURCE_PORT = 34
_PRANDOM_U32 = 7
_FOR_EVER = (1 << 32) - 1

_libc = ctypes.CDLL(None, use_errno=True)


def _instruction(code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> bytes:
    return struct.pack("=BBhi", code, source << 4 | target, offset, value)


def program(passing: int, frame: bytes) -> bytes:
    """An XDP program that lets so many of WHOLE packets pass, each with a source port by chance.

    A packet's memory is used again as the router left it, so its headers are written anew each time.
    """
    write = [
        _instruction(0x62, 6, offset=at, value=struct.unpack_from("=i", frame, at)[0])
        for at in range(0, HEADERS - 2, 4)
    ]
    write.append(_instruction(0x6A, 6, offset=HEADERS - 2))  # no UDP checksum
    to_pass = (
        _instruction(0x85, value=_PRANDOM_U32),  # r0 = 32 random bits
        _instruction(0xBF, 7, 0),  # r7 = r0
        _instruction(0x57, 7, value=WHOLE - 1),  # r7 &= WHOLE - 1
        _instruction(0x35, 7, offset=7 + len(write), value=passing),  # if r7 >= passing: drop
        *write,
        _instruction(0x77, 0, value=16),  # r0 >>= 16
        _instruction(0x57, 0, value=FLOWS - 1),  # r0 &= FLOWS - 1
        _instruction(0x07, 0, value=FIRST_PORT),  # r0 += FIRST_PORT
        _instruction(0xDC, 0, value=16),  # r0 in network order
        _instruction(0x6B, 6, 0, _SOURCE_PORT),  # the source port = r0
        _instruction(0xB7, 0, value=_XDP_PASS),  # pass
        _instruction(0x95),
    )
    bounded = (
        _instruction(0x61, 6, 1, 0),  # r6 = data
        _instruction(0x61, 2, 1, 4),  # r2 = data_end
        _instruction(0xBF, 3, 6),  # r3 = r6
        _instruction(0x07, 3, value=HEADERS),  # r3 += the bytes needed
        _instruction(0x2D, 3, 2, len(to_pass)),  # if r3 > r2: drop
    )
    to_drop = (_instruction(0xB7, 0, value=_XDP_DROP), _instruction(0x95))
    return b"".join((*bounded, *to_pass, *to_drop))


def inject(interface: int, frame: bytes, passing: int) -> None:
    """Offer the frame to the interface, until killed. Raises Unavailable where the kernel cannot do it."""
    code, licence = program(passing, frame), b"GPL\0"
    # A struct xdp_md: where the packet begins and ends, and by which interface it came in.
    context = struct.pack("=6I", 0, len(frame), 0, interface, 0, 0)
    kept = [ctypes.create_string_buffer(data, len(data)) for data in (code, licence, frame, context)]
    at_code, at_licence, at_frame, at_context = map(ctypes.addressof, kept)
    load = struct.pack("=IIQQ", _PROG_TYPE_XDP, len(code) // 8, at_code, at_licence)
    loaded = _bpf(_PROG_LOAD, load + bytes(96))
    run = struct.pack(
        "=IIIIQQIIIIQQIIII",
        loaded, 0, len(frame), 0, at_frame, 0, _FOR_EVER, 0, len(context), 0, at_context, 0,
        _LIVE_FRAMES, 0, 0, 0,
    )  # fmt: skip
    while True:
        _bpf(_PROG_TEST_RUN, run)


def _bpf(command: int, attributes: bytes) -> int:
    """The system call."""
    number = _SYSCALL_BPF.get(os.uname().machine)
    if number is None:
        raise Unavailable(f"no injector for processors of kind {os.uname().machine}")
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result: int = _libc.syscall(number, command, buffer, len(attributes))
    if result < 0:
        code = ctypes.get_errno()
        if code in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
            raise Unavailable(f"this kernel injects no packets ({os.strerror(code)}): it takes Linux 5.18")
        raise OSError(code, f"bpf: {os.strerror(code)}")
    return result


def main() -> None:
    """Inject what the input says until it ends."""
    interface, frame = socket.if_nametoindex(sys.argv[1]), bytes.fromhex(sys.argv[2])
    print("ready", flush=True)
    child: Child | None = None
    for line in sys.stdin:
        if child is not None:
            child.end()
        passing = int(line)
        child = Child(partial(inject, interface, frame, passing)) if passing else None


if __name__ == "__main__":
    main()

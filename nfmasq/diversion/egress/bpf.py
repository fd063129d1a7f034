"""The bpf system call: maps and programs (bpf(2), linux/bpf.h).

Nothing is stored here. A map or a program is a file descriptor that its receiver closes. Keys and values are
bytes of the sizes the map was made with. Every function raises OSError with the kernel's answer.
"""

import ctypes
import os
import platform
import struct
from collections.abc import Iterator

from nfmasq.diversion.egress.object import MapShape

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "ppc64le": 361}
"""The number of the system call, by machine."""

_MAP_CREATE, _LOOK_UP, _UPDATE, _DELETE, _PROGRAM_LOAD = 0, 1, 2, 3, 5
_SCHED_CLS = 3
_LOG_BYTES = 1 << 16

_library = ctypes.CDLL(None, use_errno=True)


def make_map(shape: MapShape) -> int:
    """A new map."""
    return _call(
        _MAP_CREATE,
        struct.pack("=5I", shape.kind, shape.key_size, shape.value_size, shape.most_entries, shape.flags),
    )


def look_up(number: int, key: bytes, size: int) -> bytes:
    """The value of a key; size: the map's value_size."""
    value = ctypes.create_string_buffer(size)
    _of_element(_LOOK_UP, number, key, value)
    return value.raw


def update(number: int, key: bytes, value: bytes) -> None:
    """Set the value of a key."""
    _of_element(_UPDATE, number, key, ctypes.create_string_buffer(value, len(value)))


def delete(number: int, key: bytes) -> None:
    """Take a key out."""
    _of_element(_DELETE, number, key, None)


def load(instructions: bytes, license_: str, name: str) -> int:
    """Load a program for tc. The error tells the verifier's last line."""
    code = ctypes.create_string_buffer(instructions, len(instructions))
    words = ctypes.create_string_buffer(license_.encode())
    head = struct.pack(
        "=IIQQ", _SCHED_CLS, len(instructions) // 8, ctypes.addressof(code), ctypes.addressof(words)
    )
    tail = struct.pack("=II16s", 0, 0, name.encode())
    try:
        return _call(_PROGRAM_LOAD, head + struct.pack("=IIQ", 0, 0, 0) + tail)
    except OSError as refused:
        log = ctypes.create_string_buffer(_LOG_BYTES)
        try:
            return _call(
                _PROGRAM_LOAD, head + struct.pack("=IIQ", 1, _LOG_BYTES, ctypes.addressof(log)) + tail
            )
        except OSError:
            said = [line for line in log.value.decode(errors="replace").splitlines() if line.strip()]
            raise OSError(refused.errno, "; ".join([os.strerror(refused.errno or 0), *said[-2:]])) from None


def bound(instructions: bytes, places: Iterator[tuple[int, int]]) -> bytes:
    """The instructions with descriptors of maps in place; places: an instruction's offset, a descriptor.

    An address of 64 bits is loaded by two instructions; source register 1 says that it is a map's
    (BPF_PSEUDO_MAP_FD).
    """
    code = bytearray(instructions)
    for place, number in places:
        code[place + 1] = code[place + 1] & 0x0F | 0x10
        struct.pack_into("<i", code, place + 4, number)
    return bytes(code)


def _of_element(command: int, number: int, key: bytes, value: "ctypes.Array[ctypes.c_char] | None") -> None:
    key_there = ctypes.create_string_buffer(key, len(key))
    value_at = ctypes.addressof(value) if value is not None else 0
    _call(command, struct.pack("=IIQQQ", number, 0, ctypes.addressof(key_there), value_at, 0))


def _call(command: int, attributes: bytes) -> int:
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(38, f"the number of the bpf system call is unknown on {platform.machine()}")
    there = ctypes.create_string_buffer(attributes, len(attributes))
    answer: int = _library.syscall(number, command, ctypes.byref(there), len(attributes))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer

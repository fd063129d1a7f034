"""Whether legacy iptables rules changed, which ring no bell: asked of the kernel without starting a program.

What is stored: for each table the digest of its rules at the last look. Only `changed()` writes. A table that
went or came is a change like any other.

The kernel makes a table when it is asked about one, with its hooks in the packets' way. So only tables that
/proc/net/ip_tables_names lists are asked about. The layouts are of linux/netfilter_ipv4/ip_tables.h.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

_IPT_SO_GET_INFO, _IPT_SO_GET_ENTRIES = 64, 65
_NAME = 32
_INFO = struct.Struct("=32sI5I5III")
_ENTRIES = 40 if ctypes.alignment(ctypes.c_uint64) == 8 else 36
"""Where the rules begin: their counters are of 64 bits, and so aligned."""
_NEXT_OFFSET, _COMEFROM, _COUNTERS_END = 90, 92, 112
_TRIES = 5

_libc = ctypes.CDLL(None, use_errno=True)


class LegacyTables:
    """Looks at the tables of the network namespace of the thread that asks. names: which ones."""

    def __init__(self, names: Iterable[str] = ("raw", "mangle")) -> None:
        self._names = tuple(names)
        self._digests: dict[str, bytes] = {}

    def changed(self) -> frozenset[str]:
        """The tables whose rules are other than at the last look. At the first, all that exist.

        A kernel without legacy iptables has no tables: no error. Raises OSError where the rules may not be
        read (CAP_NET_ADMIN and CAP_NET_RAW are needed).
        """
        present = tables_present()
        now = {name: _digest(name) for name in self._names if name in present}
        before, self._digests = self._digests, now
        return frozenset(name for name in self._names if now.get(name) != before.get(name))


def tables_present() -> frozenset[str]:
    """The names of the tables that exist; asking makes none."""
    try:
        return frozenset(Path("/proc/thread-self/net/ip_tables_names").read_text(encoding="ascii").split())
    except FileNotFoundError:
        return frozenset()


def _digest(name: str) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as asked:
        for _ in range(_TRIES):
            info = _ask(asked, _IPT_SO_GET_INFO, _INFO.pack(name.encode(), *[0] * 13))
            size = _INFO.unpack(info)[-1]
            try:
                rules = _ask(asked, _IPT_SO_GET_ENTRIES, _entries_request(name, size))
            except OSError as error:
                if error.errno == errno.EAGAIN:  # changed between the two
                    continue
                raise
            return blake2b(info + without_counters(rules[_ENTRIES:])).digest()
    raise OSError(errno.EAGAIN, f"the table {name} changed during each of {_TRIES} looks")


def _entries_request(name: str, size: int) -> bytes:
    return struct.pack("=32sI", name.encode(), size).ljust(_ENTRIES + size, b"\0")


def without_counters(rules: bytes) -> bytes:
    """Rules as the kernel lists them, with 0 for what traffic changes. Raises OSError (EBADMSG)."""
    cleared = bytearray(rules)
    position = 0
    while position < len(cleared):
        if len(cleared) - position < _COUNTERS_END:
            raise OSError(errno.EBADMSG, "a rule is cut off")
        (length,) = struct.unpack_from("=H", cleared, position + _NEXT_OFFSET)
        if not _COUNTERS_END <= length <= len(cleared) - position:
            raise OSError(errno.EBADMSG, f"a rule of {length} bytes in {len(cleared) - position}")
        cleared[position + _COMEFROM : position + _COUNTERS_END] = bytes(_COUNTERS_END - _COMEFROM)
        position += length
    return bytes(cleared)


def _ask(asked: socket.socket, option: int, question: bytes) -> bytes:
    """Python's own getsockopt hands the kernel no question."""
    buffer = ctypes.create_string_buffer(question, len(question))
    length = ctypes.c_uint32(len(question))
    code = _libc.getsockopt(asked.fileno(), socket.IPPROTO_IP, option, buffer, ctypes.byref(length))
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"iptables' rules cannot be read: {os.strerror(number)}")
    return buffer.raw

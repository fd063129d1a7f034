"""A thread without the right to change the network, for functions that run in a thread of their own."""

import ctypes
import os
from collections.abc import Callable
from functools import partial
from typing import Any

_VERSION = 0x20080522
_NET_ADMIN = 12
_SETS = ctypes.c_uint32 * 6


def without_net_admin(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for `Namespace.call`: its thread loses CAP_NET_ADMIN first, and ends after it."""
    return partial(_call, function)


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION, 0), _SETS()
    for name in ("capget", "capset"):
        if getattr(libc, name)(header, sets) != 0:
            raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
        sets[0] &= ~(1 << _NET_ADMIN)
    return function(*arguments)

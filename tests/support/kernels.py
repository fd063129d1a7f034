"""Links and states that some kernels lack."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_LACKS = (
    "Unknown device type",
    "Requested type not found",
    "Operation not supported",
    "Protocol not supported",
)
"""The kernel's words for a kind of link, an IPsec algorithm, an option or a netlink family that it lacks."""


@contextmanager
def kernel_with(kind: str) -> Iterator[None]:
    """Skip the test where the kernel says that it lacks what the block makes. Any other failure is one."""
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in _LACKS):
            raise
        pytest.skip(f"this kernel has no {kind}: {error}")

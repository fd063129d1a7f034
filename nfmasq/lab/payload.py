"""The file that is carried about in the lab: 100 MB whose every block differs, and its SHA-256.

What is stored: an anonymous file in memory. Programs get it as an inherited descriptor, so it is made once,
served by every server and leaves nothing on disk.
"""

import hashlib
import os
import random
from functools import cached_property

BLOCK = 1_000_000


class Payload:
    """`size` bytes (a whole number of megabytes), the same in every run; `fd` is the file they are in."""

    def __init__(self, size: int = 100 * BLOCK) -> None:
        self.size = size
        self.fd = os.memfd_create("nfmasq-lab-payload", os.MFD_CLOEXEC)
        noise = random.Random(2663).randbytes(BLOCK - 8)
        for number in range(size // BLOCK):
            os.write(self.fd, number.to_bytes(8) + noise)

    def __enter__(self) -> "Payload":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    @cached_property
    def sha256(self) -> str:
        """The checksum, in hexadecimal."""
        return checksum_of(self.fd)


def checksum_of(fd: int) -> str:
    """SHA-256 of an open file from its beginning, in hexadecimal."""
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(fd, BLOCK, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()

"""Errors that mean a shortage: no memory, thread or descriptor is left for this process."""

import errno

_NUMBERS = {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS}
_NO_THREAD = "can't start new thread"
_NO_MAPPING = ("failed to map segment", "cannot allocate memory")


def shortage(error: BaseException) -> str:
    """What is short, in words; "" if the error means something else."""
    if isinstance(error, MemoryError):
        return "no memory is left"
    if isinstance(error, RuntimeError) and str(error).startswith(_NO_THREAD):
        return "no thread can be started"
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return (error.strerror or str(error)).lower()
    if isinstance(error, ImportError) and any(words in str(error).lower() for words in _NO_MAPPING):
        return "no memory is left"
    return ""

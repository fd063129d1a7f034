"""Which errors mean that something is short, tried where the kernel gives no more."""

import errno
import subprocess
import sys

import pytest

from nfmasq.machine.shortage import shortage

NO_MORE_THREADS = """
import resource, sys, threading
from nfmasq.machine.shortage import shortage
resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))
end = threading.Event()
try:
    while True:
        threading.Thread(target=end.wait, daemon=True).start()
except BaseException as error:
    print(shortage(error))
"""


def test_a_thread_that_cannot_start_is_a_shortage() -> None:
    said = subprocess.run([sys.executable, "-c", NO_MORE_THREADS], capture_output=True, text=True, check=True)
    assert said.stdout.strip() in {"no thread can be started", "no memory is left"}


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError(errno.EMFILE, "Too many open files"),
        ImportError("a.so: failed to map segment from shared object"),
    ],
)
def test_memory_and_descriptors_run_short(error: Exception) -> None:
    assert shortage(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("other"), OSError(errno.ENOENT, "No such file"), ValueError()]
)
def test_a_fault_is_no_shortage(error: Exception) -> None:
    assert shortage(error) == ""

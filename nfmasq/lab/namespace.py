"""A network namespace of our own, without a name and without a trace.

What is stored: one file descriptor. While it is open the namespace lives; when this process ends, however it
ends, the kernel closes it and the namespace goes, and with it its interfaces, rules and queues. Nothing is
written below /run, so several labs side by side cannot clash and a crash leaves nothing to sweep.

Programs started inside die with the thread that started them (PR_SET_PDEATHSIG): start them from a thread
that lives as long as they should.
"""

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

CLONE_NEWNET = 0x40000000

T = TypeVar("T")

_libc = ctypes.CDLL(None, use_errno=True)


def _syscall(name: str, *arguments: int) -> None:
    if getattr(_libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)} (network namespaces need root)")


def _in_a_thread_of_its_own(work: Callable[[], T]) -> T:
    """A thread that changed its namespace is never used again, so none of ours changes by surprise."""
    results: list[T] = []
    failures: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


class Namespace:
    """A network namespace; `close()` ends it unless programs still run inside."""

    def __init__(self, role: str) -> None:
        self.role = role

        def make() -> int:
            _syscall("unshare", CLONE_NEWNET)
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

        self._fd = _in_a_thread_of_its_own(make)
        self.ip("link set lo up")

    def __enter__(self) -> "Namespace":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the namespace go. Harmless when called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function with this namespace as its network, e.g. to open a socket in it."""

        def inside() -> T:
            _syscall("setns", self._fd, CLONE_NEWNET)
            return function(*arguments)

        return _in_a_thread_of_its_own(inside)

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line that runs a program in here; pass `pass_fds=[self.fd]` along with it."""
        enter = ["setpriv", "--pdeathsig", "KILL", "nsenter", f"--net=/proc/self/fd/{self._fd}", "--"]
        return [*enter, *arguments]

    @property
    def fd(self) -> int:
        """The open descriptor that is this namespace."""
        return self._fd

    def popen(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        """Start a program in here; it is killed when the thread that called this ends."""
        options.setdefault("text", True)
        options["pass_fds"] = [*options.get("pass_fds", ()), self._fd]
        return subprocess.Popen(self.command(arguments), **options)

    def run(self, *arguments: str, check: bool = True, timeout: float = 60, **options: Any) -> str:
        """Run a program in here to its end and return what it printed on both its outputs."""
        options["pass_fds"] = [*options.get("pass_fds", ()), self._fd]
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self.command(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )
        if check and done.returncode != 0:
            command = " ".join(arguments)
            raise RuntimeError(f"{self.role}: {command} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def ip(self, *commands: str) -> None:
        """Run `ip` commands in here, in order and as one batch: ip("link add …", "route add …")."""
        self.run("ip", "-batch", "-", input="\n".join(commands) + "\n")

    def sysctl(self, key: str, value: str | int) -> None:
        """Set a sysctl below net/ of this namespace: sysctl("ipv4/ip_forward", 1)."""

        def write() -> None:
            with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:
                file.write(f"{value}\n")

        self.call(write)


def join(left: Namespace, left_name: str, right: Namespace, right_name: str, mtu: int = 1500) -> None:
    """Lay a veth cable between two namespaces and set both its ends up."""
    left.run(
        "ip", "link", "add", left_name, "mtu", str(mtu), "type", "veth",
        "peer", "name", right_name, "mtu", str(mtu), "netns", f"/proc/self/fd/{right.fd}",
        pass_fds=[right.fd],
    )  # fmt: skip
    left.ip(f"link set {left_name} up")
    right.ip(f"link set {right_name} up")

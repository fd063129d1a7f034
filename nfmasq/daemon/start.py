"""Takes everything the daemon needs before the first packet; if one thing is missing, nothing stays behind.

Each function returns what it took or raises StartFailed with one line that says what to do.
"""

import errno
import os
import socket
from contextlib import ExitStack
from pathlib import Path

from nfmasq._fastpath import Table
from nfmasq.config import Config, ConfigInvalid, load
from nfmasq.control.socket import AnotherRuns, ControlSocket
from nfmasq.core.queue_socket import QUEUES_BESIDES, QUEUES_EACH
from nfmasq.core.state_file import NotOurs
from nfmasq.core.worker import Worker
from nfmasq.daemon.failed import StartFailed
from nfmasq.daemon.only_one import AnotherHere, OnlyOne
from nfmasq.daemon.reserve import memory_at_start
from nfmasq.exits import Exit
from nfmasq.machine import capabilities
from nfmasq.machine.queues import KernelQueue, kernel_queues


def configuration(path: Path) -> Config:
    """The configuration, good in itself: an interface that this machine lacks may come."""
    try:
        return load(path)
    except ConfigInvalid as invalid:
        raise StartFailed(map(str, invalid.errors), Exit.CONFIG_INVALID) from None


def require_net_admin() -> None:
    """Fail without CAP_NET_ADMIN."""
    if not capabilities.has(capabilities.NET_ADMIN):
        raise StartFailed(
            "no CAP_NET_ADMIN: run nfmasq as root, or give it the capability "
            "(AmbientCapabilities=CAP_NET_ADMIN in its unit)",
            Exit.NOT_PERMITTED,
        )


def only_one(config_path: Path) -> OnlyOne:
    """The claim to this network namespace; while it lasts, no other daemon starts here."""
    try:
        return OnlyOne(config_path)
    except AnotherHere as other:
        raise StartFailed(str(other)) from None
    except OSError as error:
        raise StartFailed(
            f"this network namespace cannot be claimed: {_words(error)}", _code(error)
        ) from None


def control_socket(path: Path) -> ControlSocket:
    """The listening control socket; a dead daemon's is replaced."""
    try:
        return ControlSocket(path)
    except AnotherRuns as other:
        raise StartFailed(f"{other}; stop it first, or give this one a control.socket of its own") from None
    except FileExistsError as there:
        raise StartFailed(f"{there}; move it away or set control.socket") from None
    except OSError as error:
        raise StartFailed(
            f"the control socket {path} cannot be made: {_words(error)}; set control.socket", _code(error)
        ) from None


def metrics_socket(listen: tuple[str, int]) -> socket.socket:
    """The listening socket of the metrics and the page."""
    host, port = listen
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise StartFailed(
            f'metrics.listen {host}:{port}: {_words(error)}; choose another, or "" for none', _code(error)
        ) from None


def table(path: Path, capacity: int, saved: Path) -> Table:
    """The session table, with the sessions recovered from the file, or after a reboot from the saved copy."""
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        return Table(os.fspath(path), capacity, memory_at_start(), os.fspath(saved))
    except NotOurs as error:
        raise StartFailed(
            f"{path} is {_words(error)}: nfmasq leaves it as it is; move it away, or set engine.state",
            Exit.CONFIG_INVALID,
        ) from None
    except BlockingIOError:
        raise StartFailed(
            f"the state file {path} is in use by another nfmasq; stop it first, or set engine.state"
        ) from None
    except (OSError, MemoryError) as error:
        if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
            raise StartFailed(
                f"there is no memory for the session table (limits.sessions = {capacity}): "
                "raise the limit of this process (ulimit -v, LimitAS=), or lower limits.sessions"
            ) from None
        raise StartFailed(
            f"the state file {path} cannot be used: {_words(error)}; correct that or set engine.state",
            _code(error),
        ) from None


def workers(first: int, count: int, sessions: Table, undo: ExitStack) -> list[Worker]:
    """The workers of the rules' queues, bound and not yet started; `undo` gets their end.

    One more serves two queues after them. To the first, which no rule names, the others send super-packets
    that the kernel must cut up before they can be translated. The second is for packets that the rules of
    others left.
    """
    made: list[Worker] = []
    segments = first + count
    untaken = segments + 1

    for number in range(first, segments + 1, QUEUES_EACH):
        queues = QUEUES_EACH if number < segments else QUEUES_BESIDES
        try:
            if number < segments:
                made.append(Worker(number, sessions, count=queues, segment_queue=segments))
            else:
                made.append(Worker(number, sessions, count=queues, whole=False, untaken_queue=untaken))
        except OSError as error:
            raise _not_bound(range(number, number + queues), error) from None
        undo.callback(made[-1].stop)
    return made


def _not_bound(numbers: range, error: OSError) -> StartFailed:
    """The kernel answers EPERM both without the capability and for a taken queue: see which it was."""
    try:
        bound = kernel_queues()
    except FileNotFoundError:
        return StartFailed(
            "the kernel has no netfilter queues: `modprobe nfnetlink_queue`, "
            "or use a kernel with CONFIG_NETFILTER_NETLINK_QUEUE"
        )
    except PermissionError:  # the list of queues is for root's group
        bound = {}
    number = next((number for number in numbers if number in bound), numbers[0])
    if number in bound:
        holder = _name_of(bound[number])
        return StartFailed(
            f"queue {number} is taken by {holder}; stop that program, or set engine.first_queue"
        )
    if isinstance(error, PermissionError):
        return StartFailed(
            f"the kernel does not let this process have queue {number}; run nfmasq as root",
            Exit.NOT_PERMITTED,
        )
    return StartFailed(
        f"queue {number} cannot be bound: {_words(error)}; `nfmasq doctor` says what is missing"
    )


def _name_of(queue: KernelQueue) -> str:
    """A netlink port is its program's pid in most cases; then the program has a name."""
    try:
        name = Path(f"/proc/{queue.holder}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return f"another program (netlink port {queue.holder})"
    return f"another program (pid {queue.holder}, {name})"


def _words(error: OSError) -> str:
    return error.strerror or str(error)


def _code(error: OSError) -> Exit:
    return Exit.NOT_PERMITTED if error.errno in (errno.EPERM, errno.EACCES) else Exit.FAILED

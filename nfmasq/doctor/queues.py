"""Netfilter queues: can one be bound, and are the queues of the configuration free?"""

import errno
import os
from typing import TYPE_CHECKING

from nfmasq.core.queue_socket import QUEUES_BESIDES
from nfmasq.doctor.check import Check
from nfmasq.doctor.privileges import AS_ROOT
from nfmasq.machine.queues import bind_a_queue, command_line, shown_queues

if TYPE_CHECKING:
    from nfmasq.config import Config


def queues() -> Check:
    """Does the kernel give out netfilter queues?"""
    name = "netfilter queues"
    try:
        number = bind_a_queue()
    except PermissionError:
        return Check(name, "fail", "the kernel does not let this process bind a queue", AS_ROOT)
    except OSError as error:
        lacking = error.errno in {errno.EINVAL, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP}
        mend = "modprobe nfnetlink_queue, or use a kernel with CONFIG_NETFILTER_NETLINK_QUEUE"
        return Check(
            name, "fail", f"a queue cannot be bound: {error.strerror or error}", mend if lacking else AS_ROOT
        )
    return Check(name, "ok", f"queue {number} could be bound")


def numbers(config: "Config") -> Check:
    """Are the queues that the configuration names free, or the daemon's own?"""
    name, bound = "queue numbers", shown_queues()
    first, count = config.engine.diverted_to
    last = first + count + QUEUES_BESIDES - 1
    taken = [number for number in range(first, last + 1) if number in bound]
    if not taken:
        return Check(name, "ok", f"{first} to {last} are free")
    port = bound[taken[0]].holder
    words = command_line(port)
    who = f"process {port} ({' '.join(words)})" if words else f"another program (netlink port {port})"
    if "nfmasq" in map(os.path.basename, words):
        return Check(name, "ok", f"taken by {who}: the daemon is running already")
    return Check(
        name,
        "fail",
        f"queue {taken[0]} is taken by {who}",
        "stop that program, or set another engine.first_queue",
    )

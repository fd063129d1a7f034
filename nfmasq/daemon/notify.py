"""Tells the service manager the daemon's state (sd_notify(3)): a datagram a message, if one listens."""

import logging
import os
import socket

log = logging.getLogger("nfmasq")


def notify(message: str) -> None:
    """Send "READY=1", "WATCHDOG=1", "STATUS=…" or the like to the service manager, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(1.0)
            sender.sendto(message.encode(), address)
    except OSError as error:
        log.warning("the service manager did not get %r: %s", message.partition("\n")[0], error)


def watchdog_s() -> float:
    """The seconds within which the service manager wants a sign of life; 0 when it wants none."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    text = os.environ.get("WATCHDOG_USEC", "")
    return int(text) / 1e6 if text.isdecimal() else 0.0

"""Routers that keep their sessions in a file, and other processes that do: for the tests of restarts."""

import os
import subprocess
import sys
from pathlib import Path

from support.packets import ACK, GRE, PSH, SYN, portless, query, read, tcp, udp
from support.router import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, Router, policy

from nfmasq.core.policy import Policy

LEFT = [
    tcp(CLIENT, 40000, SERVER, 80),
    tcp(OTHER_CLIENT, 40000, SERVER, 80),
    udp(CLIENT, 40000, SERVER, 53),
    udp(CLIENT, 40000, OTHER_SERVER, 53),
    udp(OTHER_CLIENT, 40001, SERVER, 53),
    query(CLIENT, SERVER, 7),
    query(OTHER_CLIENT, SERVER, 0),
    portless(CLIENT, SERVER, GRE),
    portless(OTHER_CLIENT, OTHER_SERVER, GRE),
]
"""What leaves first: a session of every kind, each in the record of its place, counted from 1."""


def busy_router(path: Path, capacity: int = 64, rules: Policy | None = None) -> Router:
    """A router with a session of every kind; the first connection is established and has spoken."""
    router = Router(rules or policy(), capacity, str(path))
    sent = [router.out(packet) for packet in LEFT]
    near = read(sent[0]).source_port
    router.into(tcp(SERVER, 80, EXTERNAL, near, SYN | ACK))
    router.out(tcp(CLIENT, 40000, SERVER, 80, PSH | ACK, payload=b"GET /"))
    return router


def restarted(router: Router, path: Path, capacity: int = 64, rules: Policy | None = None) -> Router:
    """The next daemon, after an orderly end of the one before."""
    router.table.close()
    after = Router(rules or policy(), capacity, str(path))
    after.now = router.now
    return after


def child(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A Python of its own that sees the modules this one sees."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
    )

"""A helper that hangs in a call nobody can cut off: the others, the daemon's end, and what the status says.

One sleeps, and leaves the interpreter to the rest of the daemon. The other searches with an expression that
backtracks without end, and holds the interpreter: then only the workers run.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.others import install

from nfmasq.lab.clients import ask, ping
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

HANGS, MEETS = 7400, 7300
PATIENCE_S = 20.0
HANG = """
import re
import time

from nfmasq.helpers.kit.base import Reading


class Hang:
    name = "hang"
    transport = "tcp"
    ports = (7400,)
    enabled_by_default = False
    about = "A helper that never comes back"

    def begin(self, session):
        return self

    def read(self, side, data):
        if data.startswith(b"SLEEP"):
            time.sleep(3600)
        if data.startswith(b"SEARCH"):
            re.match("(a|a)*$", "a" * 64 + "b")
        return Reading(len(data))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab whose daemon has it, and the skeleton."""
    where = tmp_path_factory.mktemp("packages")
    install(where, "hang", HANG, "Hang")
    install(where, "meet", "from nfmasq.helpers.kit.skeleton import Meet\n", "Meet")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", str(where))
        with Lab(config={"helpers": {"hang": True, "meet": True}}) as made:
            yield made


@pytest.fixture(autouse=True)
def _a_daemon_that_runs(daemon: DaemonUnderLab) -> Iterator[None]:
    """And keeps its rules when it ends: connections are to go on."""
    daemon.kill()
    daemon.start("--keep-rules")
    yield
    if not daemon.running:
        daemon.start()


@contextmanager
def connected(net: Topology, port: int) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection from a client to a port of SERVER1: both ends."""
    with net.server1.call(socket.create_server, ("", port)) as listening:
        listening.settimeout(PATIENCE_S)
        with net.client1.call(socket.create_connection, (str(SERVER1), port), PATIENCE_S) as near:
            far, _ = listening.accept()
            with far:
                far.settimeout(PATIENCE_S)
                yield near, far


def passes(one: socket.socket, other: socket.socket, text: bytes) -> bool:
    """Say something; does the other end hear it?"""
    one.sendall(text)
    heard = b""
    while len(heard) < len(text):
        heard += other.recv(100)
    return heard == text


def others_pass(client: Namespace) -> bool:
    """Do new sessions of another host pass without delay?"""
    began = time.monotonic()
    return (
        ping(client, SERVER2, count=2).received == 2
        and ask(client, (SERVER1, 53), b"") != b""
        and time.monotonic() - began < 3
    )


def test_one_that_sleeps_is_replaced_and_switched_off(net: Topology, daemon: DaemonUnderLab) -> None:
    with connected(net, HANGS) as (near, far), connected(net, MEETS) as (other, its_far):
        assert passes(other, its_far, b"HELLO\r\n")
        near.sendall(b"SLEEP\r\n")
        assert others_pass(net.client2)
        name = "the helper hang is disabled: it did not return from a call"
        wait_until(lambda: name in daemon.api("/v1/status")["reasons"], "the status to say so", PATIENCE_S)
        assert passes(its_far, other, b"HELLO\r\n"), "a connection of another helper"
        assert far.recv(100) == b"SLEEP\r\n", "the connection itself, without a helper"
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 4


def test_while_one_sleeps_the_daemon_ends_in_time(net: Topology, daemon: DaemonUnderLab) -> None:
    with connected(net, HANGS) as (near, _):
        near.sendall(b"SLEEP\r\n")
        wait_until(
            lambda: any("stuck" in line for line in daemon.api("/v1/status")["reasons"]),
            "the status to say so",
            PATIENCE_S,
        )
        began = time.monotonic()
        daemon.cli("helpers", "disable", "meet")
        assert daemon.stop() == 0
        assert time.monotonic() - began < 5
        assert "the helper hang does not return: its thread is left behind" in daemon.log


def test_one_that_holds_the_interpreter_ends_the_daemon_and_nothing_else(
    net: Topology, daemon: DaemonUnderLab, lab: Lab
) -> None:
    with connected(net, HANGS) as (near, far), connected(net, MEETS) as (other, its_far):
        assert passes(other, its_far, b"HELLO\r\n")
        near.sendall(b"SEARCH\r\n")
        time.sleep(1)  # nobody is there to say that it began
        assert others_pass(net.client2), "the workers need no interpreter"
        wait_until(lambda: not daemon.running, "the daemon to end by itself", PATIENCE_S)
        assert "hang_helper.py" in daemon.log, "the log tells where it stood"
        assert lab.sentinel.leaks == []
        daemon.start()
        assert far.recv(100) == b"SEARCH\r\n"
        assert passes(its_far, other, b"HELLO\r\n")

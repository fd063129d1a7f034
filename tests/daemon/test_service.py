"""The daemon under a service manager: what it says at start, reload and end, and its signs of life."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.waiting import wait_until

WATCHDOG_USEC = "1500000"

FAILING_WORKER = """
import sys
from pathlib import Path
from nfmasq import daemon
from nfmasq.core import worker
worker.Worker._serve = lambda self: setattr(self, "failure", f"queue {self.number} failed: injected")
sys.exit(daemon.run(Path(sys.argv[1])))
"""


SLOW_TICK = """
import sys
from pathlib import Path
from nfmasq import daemon
from nfmasq.daemon import running
running.TICK_S = 3600
sys.exit(daemon.run(Path(sys.argv[1])))
"""


FAILING_LOOKS = """
import sys
from pathlib import Path
from nfmasq import daemon
from nfmasq.daemon import running, supervise
broken = Path(sys.argv[1]).with_name("broken")
def failing(works):
    def look(*given):
        if broken.exists():
            raise ValueError("injected " + str(id(object())))
        return works(*given)
    return look
supervise.Supervisor.reconcile = failing(supervise.Supervisor.reconcile)
running.adopt = failing(running.adopt)
sys.exit(daemon.run(Path(sys.argv[1])))
"""


class Manager:
    """A service manager's ear: the messages, in order of their coming."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(path)
        self._socket.settimeout(10)

    def next(self, but: str = "WATCHDOG=1") -> str:
        """The next message which is not `but` (and no STATUS)."""
        while True:
            message = self._socket.recv(4096).decode()
            if message != but and not message.startswith("STATUS="):
                return message

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()


@pytest.fixture
def manager(prepared: DaemonUnderLab) -> Iterator[Manager]:
    """A manager who listens beside the daemon's files."""
    made = Manager(str(prepared.config_path.with_name("manager")))
    yield made
    made.close()


@contextmanager
def run(daemon: DaemonUnderLab, router: Namespace, *before: str) -> Iterator["subprocess.Popen[str]"]:
    """Start the prepared daemon as a service manager would; it does not outlive the test."""
    address = str(daemon.config_path.with_name("manager"))
    process = router.popen(
        sys.executable, *(before or ("-m", "nfmasq", "run", "--config")), str(daemon.config_path),
        stderr=subprocess.PIPE,
        env={**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": WATCHDOG_USEC, "JOURNAL_STREAM": "1:1"},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_manager_hears_ready_signs_of_life_reload_and_stop(
    prepared: DaemonUnderLab, router: Namespace, manager: Manager
) -> None:
    with run(prepared, router) as process:
        assert manager.next() == "READY=1"
        assert manager.next(but="") == "WATCHDOG=1"
        assert manager.next(but="") == "WATCHDOG=1"
        process.send_signal(signal.SIGHUP)
        assert manager.next().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert manager.next() == "READY=1"
        process.terminate()
        assert manager.next() == "STOPPING=1"
        _, said = process.communicate(timeout=10)
    assert process.returncode == 0
    assert said.splitlines()[0].startswith("INFO"), "the journal writes the time itself"


def test_a_failed_worker_ends_the_daemon_and_leaves_all_closed(
    prepared: DaemonUnderLab, router: Namespace, manager: Manager
) -> None:
    with run(prepared, router, "-c", FAILING_WORKER) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "queue 100 failed: injected" in said
    assert "Traceback" not in said
    assert "nfmasq_guard" in router.run("nft", "list", "ruleset")
    assert "queue" in (router.run("iptables-save") + router.run("nft", "list", "ruleset")).lower()
    prepared.start()
    wait_until(lambda: prepared.api("/v1/status")["state"] == "ok", "a new daemon to take over")


def test_a_look_that_fails_is_a_problem_until_it_works_and_a_failed_reload_ends_with_ready(
    prepared: DaemonUnderLab, router: Namespace, manager: Manager
) -> None:
    def problems() -> list[str]:
        found: list[str] = prepared.api("/v1/status")["problems"]
        return found

    look = "the look at surroundings and rules fails and is tried again: ValueError; the log says why"
    reload = "the last reload failed: ValueError; the log says why"
    broken = prepared.config_path.with_name("broken")
    with run(prepared, router, "-c", FAILING_LOOKS) as process:
        assert manager.next() == "READY=1"
        broken.touch()
        wait_until(lambda: problems() == [look], "the problem")
        process.send_signal(signal.SIGHUP)
        assert manager.next().startswith("RELOADING=1")
        assert manager.next() == "READY=1"
        wait_until(lambda: problems() == [look, reload], "the failed reload to be told")
        broken.unlink()
        wait_until(lambda: problems() == [reload], "the look to work again")
        process.send_signal(signal.SIGHUP)
        assert manager.next().startswith("RELOADING=1")
        assert manager.next() == "READY=1"
        wait_until(lambda: problems() == [], "the reload to have worked")
        process.terminate()
        _, said = process.communicate(timeout=10)
    assert said.count("Traceback") == 2, "one for the look, one for the reload"


def test_a_doorbell_is_heard_without_waiting_for_the_next_look(
    prepared: DaemonUnderLab, router: Namespace, manager: Manager
) -> None:
    with run(prepared, router, "-c", SLOW_TICK) as process:
        assert manager.next() == "READY=1"
        router.ip("address del 203.0.113.2/24 dev wan0", "address add 203.0.113.9/24 dev wan0")
        wait_until(
            lambda: prepared.api("/v1/status")["external_addresses"] == ["203.0.113.9"], "the new address"
        )
        router.run("nft", "delete", "table", "ip", "nfmasq_guard")
        wait_until(lambda: "nfmasq_guard" in router.run("nft", "list", "tables"), "the guard to be back")
        process.terminate()
        process.communicate(timeout=10)


def test_a_second_sigterm_does_not_hurry_the_end(
    prepared: DaemonUnderLab, router: Namespace, manager: Manager
) -> None:
    with run(prepared, router) as process:
        manager.next()
        process.terminate()
        process.terminate()
        process.communicate(timeout=10)
    assert process.returncode == 0
    assert "nfmasq" not in router.run("iptables-save")
    assert router.run("nft", "list", "tables").splitlines().count("table ip nfmasq") == 0


def test_what_is_not_http_is_refused_without_a_word_in_the_log(daemon: DaemonUnderLab) -> None:
    for garbage in (
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"GET /v1/status HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b'POST /v1/flush HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"all"',
    ):
        with socket.socket(socket.AF_UNIX) as sender:
            sender.settimeout(10)
            sender.connect(str(daemon.socket_path))
            sender.sendall(garbage)
            if not garbage.startswith(b"POST"):
                assert b" 400 " in sender.recv(4096)
    assert daemon.api("/v1/status")["state"] == "ok"
    assert daemon.log.splitlines()[-1].partition("INFO")[2].strip().startswith("ready: ")

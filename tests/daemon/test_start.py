"""Starts that cannot go on: one clear line with the mend, the right exit code, and nothing left behind."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nfmasq._fastpath import Queue
from nfmasq.core.queue_socket import QUEUES_EACH
from nfmasq.daemon import start
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.machine import queues

WITHOUT_NET_ADMIN = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")


def failing(daemon: DaemonUnderLab, router: Namespace, *before: str) -> tuple[int, list[str]]:
    """Start the prepared daemon, which cannot; its exit code and the lines it said, without their time."""
    command = [*before, sys.executable, "-m", "nfmasq", "run", "--config", str(daemon.config_path)]
    ended = subprocess.run(
        router.command(command),
        pass_fds=[router.fd],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "JOURNAL_STREAM": "1:1"},
    )
    assert "Traceback" not in ended.stderr
    return ended.returncode, [line.split(maxsplit=1)[1] for line in ended.stderr.splitlines()]


def held(number: int) -> Queue:
    """A queue in the hand of another program."""
    return Queue(number, None, mode="accept")


@pytest.fixture(autouse=True)
def _nothing_is_left(router: Namespace, prepared: DaemonUnderLab) -> Iterator[None]:
    """After each failed start: no rule of ours, no socket."""
    yield
    assert "nfmasq" not in router.run("iptables-save")
    assert "nfmasq" not in router.run("nft", "list", "ruleset")
    assert not prepared.socket_path.exists()


def test_a_bad_configuration_is_told_whole(prepared: DaemonUnderLab, router: Namespace) -> None:
    prepared.write_config({"nat": {"ports": "9-1"}, "limits": {"sesions": 5}})
    code, lines = failing(prepared, router)
    assert code == 5
    assert len(lines) == 2
    assert any(line.startswith("nat.ports: ") for line in lines)
    assert any('did you mean "sessions"?' in line for line in lines)


def test_a_missing_interface_is_named(prepared: DaemonUnderLab, router: Namespace) -> None:
    prepared.write_config({"nat": {"external": "wan1"}})
    code, lines = failing(prepared, router)
    assert code == 5
    assert len(lines) == 1
    assert "wan1" in lines[0]
    assert "wan0" in lines[0]


def test_without_the_capability_it_says_so_and_not_that_a_queue_is_taken(
    prepared: DaemonUnderLab, router: Namespace
) -> None:
    code, lines = failing(prepared, router, *WITHOUT_NET_ADMIN)
    assert code == 4
    assert len(lines) == 1
    assert "CAP_NET_ADMIN" in lines[0]
    assert "as root" in lines[0]


def test_a_taken_queue_names_its_holder_and_the_key(prepared: DaemonUnderLab, router: Namespace) -> None:
    holder = router.call(held, 100)
    try:
        code, lines = failing(prepared, router)
    finally:
        holder.close()
    assert code == 1
    assert len(lines) == 1
    assert re.search(r"queue 100 is taken by another program \(.*\b\d+", lines[0])
    assert "engine.first_queue" in lines[0]


@pytest.mark.parametrize("number", [101, 105, 100 + QUEUES_EACH, 100 + 2 * QUEUES_EACH])
def test_a_later_queue_taken_is_named_and_lets_the_first_go(
    prepared: DaemonUnderLab, router: Namespace, number: int
) -> None:
    """Of the first worker's, of the second's, and the one that no rule names."""
    prepared.write_config({"engine": {"workers": 2}})
    holder = router.call(held, number)
    try:
        _, lines = failing(prepared, router)
        assert f"queue {number} is taken" in lines[0]
        router.call(held, 100).close()
    finally:
        holder.close()


def test_a_kernel_without_queues_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, router: Namespace, prepared: DaemonUnderLab
) -> None:
    monkeypatch.setattr(queues, "KERNEL_QUEUES", tmp_path / "absent")
    failed = start._not_bound(range(100, 116), PermissionError(1, "Operation not permitted"))
    assert failed.code == 1
    assert "modprobe nfnetlink_queue" in failed.lines[0]


def test_a_port_in_use_names_the_key(prepared: DaemonUnderLab, router: Namespace) -> None:
    prepared.write_config({"metrics": {"listen": "127.0.0.2:9853"}})
    listening = router.popen(
        sys.executable, "-c",
        "import socket; s = socket.create_server(('127.0.0.2', 9853)); print('up', flush=True); s.accept()",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert listening.stdout is not None
    with listening:
        listening.stdout.readline()
        code, lines = failing(prepared, router)
        listening.kill()
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("metrics.listen 127.0.0.2:9853: Address already in use")


def test_a_state_file_that_cannot_be_one_names_the_key(prepared: DaemonUnderLab, router: Namespace) -> None:
    prepared.write_config({"engine": {"state": "/proc/nothing/state"}})
    code, lines = failing(prepared, router)
    assert code in (1, 4)
    assert len(lines) == 1
    assert "engine.state" in lines[0]

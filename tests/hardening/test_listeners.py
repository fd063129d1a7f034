"""Half-sent requests, odd requests and a second daemon: the router goes on meanwhile."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.daemons import daemon, prepared, router

from nfmasq.daemon.only_one import LOCKS
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.waiting import wait_until

__all__ = ["daemon", "prepared", "router"]

METRICS = ("127.0.0.1", 9853)
HALF = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
ATTACKERS = 1200


def attack(count: int) -> list[socket.socket]:
    """Half-sent requests, `count` of them."""
    made = []
    for _ in range(count):
        attacker = socket.create_connection(METRICS, timeout=5)
        attacker.sendall(HALF)
        made.append(attacker)
    return made


@pytest.fixture
def attackers(daemon: DaemonUnderLab, router: Namespace) -> Iterator[list[socket.socket]]:
    """Clients of the metrics listener who never send their requests whole."""
    made = router.call(attack, ATTACKERS)
    yield made
    for each in made:
        each.close()


def answers_within_a_second(daemon: DaemonUnderLab) -> None:
    """The control API, asked three times."""
    for _ in range(3):
        asked = time.monotonic()
        daemon.api("/v1/status")
        assert time.monotonic() - asked < 1


def descriptors(daemon: DaemonUnderLab) -> int:
    """How many are open in the daemon."""
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


def tables(router: Namespace) -> str:
    """All rules."""
    listed = router.run("iptables-save") + router.run("nft", "--stateless", "list", "ruleset")
    return "\n".join(line for line in listed.splitlines() if not line.startswith("#"))


def test_1200_half_sent_requests_hurt_nobody(
    daemon: DaemonUnderLab, router: Namespace, attackers: list[socket.socket]
) -> None:
    assert descriptors(daemon) < 256
    answers_within_a_second(daemon)
    router.run("nft", "flush", "ruleset")
    wait_until(lambda: "nfmasq_guard" in tables(router), "the guard to be back", 5)
    router.ip("address del 203.0.113.2/24 dev wan0", "address add 203.0.113.9/24 dev wan0")
    wait_until(
        lambda: daemon.api("/v1/status")["external_addresses"] == ["203.0.113.9"], "the new address", 5
    )
    wait_until(lambda: "203.0.113.9" in tables(router), "rules for it", 5)
    answers_within_a_second(daemon)
    assert daemon.metrics()["nfmasq_address_changes_total"] == 1
    assert len(daemon.log) < 20_000
    assert "Traceback" not in daemon.log
    assert daemon.running


def test_a_half_sent_request_is_ended_and_a_whole_one_is_not(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    (half,) = router.call(attack, 1)
    half.settimeout(25)
    assert half.recv(100) == b""
    half.close()
    assert daemon.metrics()["nfmasq_address_changes_total"] == 0


def test_scrapes_without_end_leave_the_control_api_its_turn(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    def hammer() -> list[socket.socket]:
        made = [socket.create_connection(METRICS, timeout=5) for _ in range(60)]
        for each in made:
            each.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        return made

    clients = router.call(hammer)
    answers_within_a_second(daemon)
    for each in clients:
        each.close()
    answers_within_a_second(daemon)


def test_with_few_descriptors_both_listeners_answer(prepared: DaemonUnderLab, router: Namespace) -> None:
    script = 'ulimit -n 160; exec "$0" -m nfmasq run --config "$1"'
    process = router.popen(
        "bash", "-c", script, sys.executable, str(prepared.config_path), stderr=subprocess.PIPE
    )
    with ExitStack() as undo:
        undo.callback(process.communicate)
        undo.callback(process.kill)
        wait_until(lambda: api_answers(prepared), "the daemon", 30)
        for each in router.call(attack, 300):
            undo.callback(each.close)
        answers_within_a_second(prepared)
        router.run("nft", "flush", "ruleset")
        wait_until(lambda: "nfmasq_guard" in tables(router), "the guard to be back", 5)
        assert prepared.metrics()["nfmasq_degraded"] == 1


def api_answers(daemon: DaemonUnderLab) -> bool:
    """Whether the control API does."""
    try:
        return bool(daemon.api("/v1/status"))
    except Exception:
        return False


def ask(router: Namespace, host: str) -> int:
    """The status of the page for this `Host`."""

    def once() -> int:
        connection = http.client.HTTPConnection(*METRICS, timeout=10)
        connection.request("GET", "/", headers={"Host": host})
        status = connection.getresponse().status
        connection.close()
        return status

    return router.call(once)


def raw(path: Path, request: bytes) -> bytes:
    """What the control API answers to these bytes."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(os.fspath(path))
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    return answer


def post(body: bytes, content_type: str = "application/json", *more: str) -> bytes:
    """A POST to /v1/forwards."""
    lines = [
        "POST /v1/forwards HTTP/1.1", "Host: router", "Connection: close",
        f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *more,
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


ODD = {
    "deep": post(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "deeper": post(b"[" * 30_000 + b"]" * 30_000),
    "too deep": post(b'{"a":' + b"[" * 20 + b"]" * 20 + b"}"),
    "twice": post(b'{"id":"a","id":"b"}'),
    "charset": post(b"{}", "application/json; charset=klingon"),
    "codec": post(b"{}", "application/json; charset=rot13"),
    "type": post(b"{}", "text/xml"),
    "huge": post(b'{"a":"' + b"x" * 2_000_000 + b'"}'),
    "compressed": post(b"\x1f\x8b....", "application/json", "Content-Encoding: gzip"),
    "chunks": (
        b"POST /v1/forwards HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
    "number": post(b'{"a":' + b"9" * 6000 + b"}"),
    "nan": post(b'{"a":NaN}'),
    "latin": post(b'{"a":"\xff"}'),
    "list": post(b"[]"),
    "surrogate": post(b'{"id":"\\ud800","protocol":"tcp","external_port":"80","to":"192.168.1.9:80"}'),
    "query": b"GET /v1/sessions?limit=1&limit=2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "target": b"GET http://[::1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
}


def test_odd_requests_are_a_400_with_one_sentence(daemon: DaemonUnderLab) -> None:
    for name, request in ODD.items():
        answer = raw(daemon.socket_path, request)
        assert answer.split()[1] == b"400", (name, answer[:300])
        if name not in {"target", "noise", "chunks"}:
            said = json.loads(answer.partition(b"\r\n\r\n")[2])
            assert said["error"], name
            assert "\n" not in said["error"], name
    assert "Traceback" not in daemon.log


def test_the_page_answers_to_names_no_attacker_can_own(daemon: DaemonUnderLab, router: Namespace) -> None:
    for host in ("localhost:9853", "127.0.0.1", "[::1]:9853", "router", "router.lan:9853", "203.0.113.2"):
        assert ask(router, host) == 200, host
    for host in ("evil.example", "127.0.0.1.evil.example:9853", "a b", "localhost@evil.example"):
        assert ask(router, host) == 400, host


def second(daemon: DaemonUnderLab, router: Namespace, *before: str) -> "subprocess.CompletedProcess[str]":
    """Another daemon, with nothing in common but the network namespace."""
    own = daemon.config_path.with_name("second")
    own.mkdir(exist_ok=True)
    path = own / "second.toml"
    path.write_text(
        '[nat]\ninternal = ["lan0"]\nexternal = "wan0"\n[metrics]\nlisten = "127.0.0.1:9999"\n'
        f'[control]\nsocket = "{own}/sock"\n[engine]\nstate = "{own}/state"\nfirst_queue = 300\n'
        f'forwards = "{own}/forwards"\n',
        encoding="utf-8",
    )
    command = [*before, sys.executable, "-m", "nfmasq", "run", "--config", str(path)]
    return subprocess.run(
        router.command(command), pass_fds=[router.fd], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_second_daemon_with_other_files_ends_with_a_line_that_names_the_first(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    before = tables(router)
    for before_command in ((), ("unshare", "--mount"), ()):
        ended = second(daemon, router, *before_command)
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        assert f"another nfmasq runs in this network namespace (pid {daemon.pid}, config " in line
        assert str(daemon.config_path) in line
    assert tables(router) == before
    assert daemon.api("/v1/status")["state"] == "ok"


def test_a_stopped_first_daemon_still_keeps_its_place_and_a_killed_one_does_not(
    daemon: DaemonUnderLab, router: Namespace
) -> None:
    with daemon.halted():
        assert f"pid {daemon.pid}" in second(daemon, router).stderr
    daemon.kill()
    shutil.rmtree(daemon.config_path.with_name("second"))
    daemon.start()
    assert daemon.api("/v1/status")["state"] == "ok"


WAYS_TO_TAKE = {
    "it listens": "s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(9)",
    "it does not listen": "s = socket.socket(socket.AF_UNIX); s.bind(name)",
    "it takes datagrams": "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(name)",
    "its queue is full": (
        "s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(0); "
        "c = [socket.socket(socket.AF_UNIX) for _ in range(4)]; [x.setblocking(False) for x in c]; "
        "[x.connect_ex(name) for x in c]"
    ),
}


@contextmanager
def stranger_has(router: Namespace, way: str, most: int) -> Iterator["subprocess.Popen[str]"]:
    """Another user has so many of the lock's names."""
    program = (
        "import socket, time\nkept = []\n"
        f"for name in {LOCKS[:most]!r}:\n    {WAYS_TO_TAKE[way]}; kept.append(locals().copy())\n"
        "print('taken', flush=True); time.sleep(60)"
    )
    stranger = router.popen(
        "setpriv", "--reuid=65534", "--clear-groups", sys.executable, "-Sc", program, stdout=subprocess.PIPE
    )
    try:
        assert stranger.stdout is not None
        assert stranger.stdout.readline().strip() == "taken"
        yield stranger
    finally:
        stranger.kill()
        stranger.communicate()


@pytest.mark.parametrize("way", WAYS_TO_TAKE)
def test_another_users_lock_keeps_no_daemon_away(
    prepared: DaemonUnderLab, router: Namespace, way: str
) -> None:
    with stranger_has(router, way, 3):
        prepared.start()
        assert second(prepared, router).returncode == 1
        shutil.rmtree(prepared.config_path.with_name("second"))
        prepared.stop()


def test_a_user_who_took_every_name_is_named_with_the_process(
    prepared: DaemonUnderLab, router: Namespace
) -> None:
    with stranger_has(router, "its queue is full", len(LOCKS)) as stranger:
        ended = second(prepared, router)
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        assert f"user 65534 took all names of nfmasq's lock, pid {stranger.pid}; end that process" in line

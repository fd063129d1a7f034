"""The daemon on the lab's router: the real `python -m nfmasq run`, configured, watched, ended at will.

What is stored: a scratch directory with the config, the control socket, the session table and the log, and
the running process. The directory outlives the process, so that a daemon started again finds its table;
it goes with this object.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from nfmasq.lab.bell import Bell
from nfmasq.lab.control import DaemonError, request
from nfmasq.lab.programs import python_environment
from nfmasq.lab.scratch import Scratch
from nfmasq.lab.topology import Topology
from nfmasq.lab.waiting import wait_until
from nfmasq.machine.queues import kernel_queues

__all__ = ["DaemonError", "DaemonUnderLab", "Overrides"]

Overrides = Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]]
"""Config sections laid over the lab's own, {"timeouts": {"udp": "2m"}, "nat.udp": {"filtering": …}}, and
lists of sections, which take the place of those before: {"forward": [{"protocol": "tcp", …}]}."""


class DaemonUnderLab:
    """A context manager: ready when entered, stopped with SIGTERM when left (if it still runs)."""

    def __init__(self, topology: Topology, config_overrides: Overrides | None = None) -> None:
        self._topology = topology
        self._scratch = Scratch()
        self._process: subprocess.Popen[str] | None = None
        self._bell: Bell | None = None
        where = self._scratch.path
        self.config_path = where / "nfmasq.toml"
        self.socket_path = where / "control.sock"
        self._log_path = where / "log"
        self.config: dict[str, Any] = {
            "nat": {"internal": ["lan0"], "external": "wan0"},
            "metrics": {"listen": "127.0.0.1:9853"},
            "control": {"socket": str(self.socket_path)},
            "engine": {"state": str(where / "state"), "forwards": str(where / "forwards.json")},
        }
        self.write_config(config_overrides or {})

    def __enter__(self) -> "DaemonUnderLab":
        try:
            self.start()
        except BaseException:
            self.kill()
            self._forget()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.running:
                self.stop()
        finally:
            self._forget()

    def write_config(self, overrides: Overrides) -> None:
        """Lay these sections over the config and write it; a running daemon takes it at a reload."""
        for section, values in overrides.items():
            if isinstance(values, Mapping):
                self.config.setdefault(section, {}).update(values)
            else:
                self.config[section] = values
        lines = []
        for section, values in self.config.items():
            one = isinstance(values, Mapping)
            for each in [values] if one else values:
                lines.append(f"[{section}]" if one else f"[[{section}]]")
                lines += [*(f"{key} = {_as_toml(value)}" for key, value in each.items()), ""]
        self.config_path.write_text("\n".join(lines), encoding="utf-8")

    @property
    def log(self) -> str:
        """All the daemon has said since the first start."""
        return self._log_path.read_text(encoding="utf-8") if self._log_path.exists() else ""

    @property
    def pid(self) -> int:
        """The process id of the daemon that was started last."""
        if self._process is None:
            raise DaemonError("the daemon was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *arguments: str, patience: float = 120) -> None:
        """Start it and wait, at most `patience` seconds, until it says that it is ready."""
        self._hang_up()
        self._bell = Bell(self._scratch.path / "notify")
        with self._log_path.open("a", encoding="utf-8") as log:
            self._process = self._topology.router.popen(
                sys.executable, "-m", "nfmasq", "run", "--config", str(self.config_path), *arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=python_environment() | {"NOTIFY_SOCKET": str(self._bell.path)},
            )  # fmt: skip
        try:
            wait_until(lambda: self.told_ready or not self.running, "the daemon to be ready", patience)
        except TimeoutError as error:
            self.kill()
            raise DaemonError(f"{error}\n{self._tail()}") from None
        if not self.told_ready:
            raise DaemonError(f"the daemon ended with {self._process.wait()}\n{self._tail()}")

    @property
    def told_ready(self) -> bool:
        """Whether it has told the service manager that it is ready, since its last start."""
        return self._bell is not None and self._bell.ready()

    def stop(self, patience: float = 10) -> int:
        """Send SIGTERM and return the exit code; a daemon that will not end is killed and reported."""
        if self._process is None:
            raise DaemonError("the daemon was never started")
        self._process.terminate()
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise DaemonError(
                f"the daemon did not end within {patience} s of SIGTERM\n{self._tail()}"
            ) from None

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: int) -> None:
        """Send a signal, e.g. SIGHUP for a reload."""
        os.kill(self.pid, number)

    @contextmanager
    def halted(self) -> Iterator[None]:
        """Stop all its threads by SIGSTOP, and let them go on afterwards.

        On a busy machine a thread goes on for some milliseconds after the signal was sent.
        """
        self.signal(signal.SIGSTOP)
        try:
            wait_until(self._has_stopped, "all threads of the daemon to stop")
            yield
        finally:
            self.signal(signal.SIGCONT)

    def _has_stopped(self) -> bool:
        """Whether its last thread has stopped: the kernel then tells the parent, which is this process."""
        return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG) is not None

    def cli(self, *arguments: str, check: bool = True) -> str:
        """Run `nfmasq ARGUMENTS` against this daemon and return what it printed."""
        command = [sys.executable, "-m", "nfmasq", *arguments, "--socket", str(self.socket_path)]
        return self._topology.router.run(*command, check=check, env=python_environment())

    def api(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Ask the control API: api("/v1/sessions?limit=10"). Raises DaemonError on an error answer."""
        return request(self.socket_path, path, method, body)

    def metrics(self) -> dict[str, float]:
        """What /metrics says now, by series: {'nfmasq_packets_total{direction="inbound",…}': 12.0}."""
        host, port = self.config["metrics"]["listen"].split(":")

        def scrape() -> str:
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
            try:
                connection.request("GET", "/metrics")
                return connection.getresponse().read().decode()
            finally:
                connection.close()

        lines = self._topology.router.call(scrape).splitlines()
        series = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in series}

    def drops(self) -> dict[str, int]:
        """How many packets were dropped so far, by reason; reasons that did not occur are left out."""
        return {row["reason"]: row["count"] for row in self.api("/v1/drops")["drops"] if row["count"]}

    def waiting(self) -> int:
        """Packets of all the router's queues that wait for a verdict, as the kernel counts them."""
        return sum(queue.waiting for queue in self._topology.router.call(kernel_queues).values())

    def _forget(self) -> None:
        self._hang_up()
        self._scratch.close()

    def _hang_up(self) -> None:
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def _tail(self) -> str:
        return "\n".join(self.log.splitlines()[-20:])


def _as_toml(value: Any) -> str:
    """A value on one line, as TOML has it."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_as_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)

"""The clients of the lab: curl, ping, traceroute and plain sockets.

Every function takes the namespace it works in first, ends by itself, and returns what it saw. A client that
failed raises ProgramError with the program's own words.
"""

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import Endpoint
from nfmasq.lab.payload import Payload, checksum_of
from nfmasq.lab.programs import ProgramError

PATIENCE_S = "5"
"""Seconds that ping and traceroute wait for an answer: a busy machine stands still for two now and then."""


@dataclass(frozen=True)
class Transfer:
    """One file carried: bytes, seconds, and the SHA-256 of what arrived."""

    size: int
    seconds: float
    sha256: str

    @property
    def rate(self) -> float:
        """Bits per second of payload."""
        return self.size * 8 / self.seconds if self.seconds else 0.0


class Download:
    """curl fetching the file into memory; started by its making, so that several can run side by side."""

    def __init__(self, client: Namespace, server: IPv4Address, *options: str, port: int = 80) -> None:
        self._fd = os.memfd_create("nfmasq-lab-download", os.MFD_CLOEXEC)
        self._curl = client.popen(
            "curl", "-q", "-sS", "--fail", "--noproxy", "*", "--connect-timeout", "10", "--max-time", "120",
            *options, "-o", f"/proc/self/fd/{self._fd}", "-w", "%{size_download} %{time_total}",
            f"http://{server}:{port}/file",
            pass_fds=[self._fd], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    @property
    def received(self) -> int:
        """Bytes that have arrived so far."""
        return os.fstat(self._fd).st_size

    def wait(self) -> Transfer:
        """Wait for the end and read the checksum."""
        try:
            said, complaint = self._curl.communicate(timeout=130)
            if self._curl.returncode != 0:
                raise ProgramError(complaint.strip() or f"curl ended with {self._curl.returncode}")
            size, seconds = said.split()
            return Transfer(int(size), float(seconds), checksum_of(self._fd))
        finally:
            self.close()

    def close(self) -> None:
        """Give up, or forget what came. Harmless when called twice."""
        if self._fd >= 0:
            self._curl.kill()
            self._curl.communicate()
            os.close(self._fd)
            self._fd = -1


def download(client: Namespace, server: IPv4Address) -> Transfer:
    """curl fetches the file."""
    return Download(client, server).wait()


def upload(client: Namespace, server: IPv4Address, payload: Payload) -> Transfer:
    """curl sends the file; the checksum is the one the server counted."""
    said = _curl(
        client, "-T", f"/proc/self/fd/{payload.fd}", "-w", " %{size_upload} %{time_total}",
        f"http://{server}/file", pass_fds=[payload.fd],
    )  # fmt: skip
    digest, size, seconds = said.split()
    return Transfer(int(size), float(seconds), digest)


def seen_by(client: Namespace, server: IPv4Address) -> Endpoint:
    """The endpoint as which a web server sees this client's connection."""
    address, port = _curl(client, f"http://{server}/seen").split()
    return IPv4Address(address), int(port)


def _curl(client: Namespace, *arguments: str, pass_fds: Iterable[int] = ()) -> str:
    common = ("curl", "-q", "-sS", "--fail", "--noproxy", "*", "--connect-timeout", "10", "--max-time", "120")
    try:
        return client.run(*common, *arguments, pass_fds=pass_fds, timeout=130)
    except RuntimeError as error:
        raise ProgramError(str(error).partition("\n")[2].strip()) from None


@dataclass(frozen=True)
class Pings:
    """What ping counted; `average_ms` is the round trip; `said` is all it printed."""

    sent: int
    received: int
    average_ms: float
    said: str


def ping(client: Namespace, target: IPv4Address, *options: str, count: int = 5) -> Pings:
    """Ping a few times, five a second; answers that do not come are counted, not raised."""
    said = client.run(
        "ping", "-n", "-c", str(count), "-i", "0.2", "-W", PATIENCE_S, *options, str(target), check=False
    )
    counted = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    if counted is None:
        raise ProgramError(said.strip())
    times = re.search(r"= [\d.]+/([\d.]+)/", said)
    return Pings(int(counted[1]), int(counted[2]), float(times[1]) if times else 0.0, said)


def traceroute(client: Namespace, target: IPv4Address, *options: str) -> list[str]:
    """The addresses of the hops, "*" for one that kept silent; options: "-I" for ICMP, "-T" for TCP."""
    said = client.run("traceroute", "-n", "-q", "1", "-w", PATIENCE_S, "-m", "6", *options, str(target))
    return re.findall(r"^ *\d+ +(\S+)", said, re.MULTILINE)


def ask(
    client: Namespace,
    server: Endpoint,
    question: bytes,
    *,
    source: IPv4Address | None = None,
    source_port: int = 0,
    tries: int = 3,
) -> bytes:
    """Send a datagram from a chosen source and return the answer; a second's patience each try."""

    def exchange() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.bind((str(source or ""), source_port))
            sock.connect((str(server[0]), server[1]))
            for _ in range(tries):
                try:
                    sock.send(question)
                    return sock.recv(65535)
                except TimeoutError:
                    continue
        raise ProgramError(f"no answer from {server[0]} port {server[1]} (UDP)")

    answer: bytes = client.call(exchange)
    return answer


def connections(client: Namespace, server: IPv4Address, count: int) -> tuple[set[Endpoint], float]:
    """Open, use and close this many TCP connections one after the other.

    Returns the endpoints the server saw, and the seconds it took. Raises ProgramError at the first failure.
    """
    request = b"GET /seen HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"

    def open_use_close() -> Endpoint:
        with socket.create_connection((str(server), 80), timeout=5) as sock:
            sock.sendall(request)
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
        address, port = answer.rpartition(b"\r\n")[2].decode().split()
        return IPv4Address(address), int(port)

    def all_of_them() -> tuple[set[Endpoint], float]:
        begin = time.monotonic()
        seen = set()
        for number in range(count):
            try:
                seen.add(open_use_close())
            except (OSError, ValueError) as error:
                raise ProgramError(f"connection {number + 1} of {count}: {error}") from None
        return seen, time.monotonic() - begin

    outcome: tuple[set[Endpoint], float] = client.call(all_of_them)
    return outcome

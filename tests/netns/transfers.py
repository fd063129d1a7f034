"""Transfers that run while something happens to the router: out, forwarded, hairpinned; both ways."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address

from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.payload import Payload, checksum_of
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT1, EXTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

FORWARDED = 8080
"""The external port by which what comes from outside, and hairpinned, reaches the server on client1."""

FORWARD = {"protocol": "tcp", "external_port": str(FORWARDED), "to": f"{CLIENT1}:80"}
RATE = "500k"
COUNT = 20


@dataclass(frozen=True)
class Way:
    """From where to where; upload: the client sends."""

    name: str
    client: Namespace
    server: IPv4Address
    port: int
    upload: bool


def ways(net: Topology) -> tuple[Way, ...]:
    """Every kind of session, in both directions."""
    pairs = (
        ("out", net.client1, SERVER1, 80),
        ("out", net.client2, SERVER2, 80),
        ("forwarded", net.server1, EXTERNAL, FORWARDED),
        ("hairpinned", net.client2, EXTERNAL, FORWARDED),
        ("hairpinned to itself", net.client1, EXTERNAL, FORWARDED),
    )
    return tuple(Way(*pair, upload) for pair in pairs for upload in (False, True))


class Transfer:
    """One curl, slow enough to last some seconds."""

    def __init__(self, way: Way, payload: Payload) -> None:
        self.way = way
        self._fd = os.memfd_create("transfer", os.MFD_CLOEXEC)
        fds = [self._fd, payload.fd]
        data = ("-T", f"/proc/self/fd/{payload.fd}") if way.upload else ()
        self._curl = way.client.popen(
            "curl", "-q", "-sS", "--fail", "--noproxy", "*", "--max-time", "90", "--limit-rate", RATE, *data,
            "-o", f"/proc/self/fd/{self._fd}", f"http://{way.server}:{way.port}/file",
            pass_fds=fds, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def fate(self, payload: Payload) -> str:
        """What became of it: "whole", or the complaint."""
        _, complaint = self._curl.communicate(timeout=100)
        if self._curl.returncode:
            return f"{self.way.name}, upload {self.way.upload}: {complaint.strip()}"
        arrived = os.pread(self._fd, 100, 0).decode() if self.way.upload else checksum_of(self._fd)
        return "whole" if arrived == payload.sha256 else f"{self.way.name}: other bytes arrived"

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._curl.poll() is None

    def close(self) -> None:
        """End it, whatever its state."""
        self._curl.kill()
        self._curl.communicate()
        os.close(self._fd)


class Transfers:
    """All that run at a time."""

    def __init__(self, every: Sequence[Transfer], payload: Payload) -> None:
        self._every = every
        self._payload = payload

    @property
    def running(self) -> int:
        """How many have not ended."""
        return sum(each.running for each in self._every)

    def fates(self) -> list[str]:
        """What became of each; "whole" is what should."""
        return [each.fate(self._payload) for each in self._every]


@contextmanager
def running(lab: Lab, count: int = COUNT) -> Iterator[Transfers]:
    """Transfers under way, all kinds of them; client1 is a server besides."""
    net, payload = lab.topology, lab.payload
    kinds = ways(net)
    with Servers((net.client1,), payload):
        every = [Transfer(kinds[at % len(kinds)], payload) for at in range(count)]
        try:
            wait_until(lambda: len(_under_way(lab)) >= count, "every transfer to be under way", patience=30)
            yield Transfers(every, payload)
        finally:
            for each in every:
                each.close()


def _under_way(lab: Lab) -> list[str]:
    """The internal endpoints of the sessions that have carried data."""
    assert lab.daemon is not None
    rows = lab.daemon.api("/v1/sessions?protocol=tcp&limit=1000")["sessions"]
    return [row["internal"] for row in rows if row["packets_in"] > 3]


WHOLE = ["whole"] * COUNT

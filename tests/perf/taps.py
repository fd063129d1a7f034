"""slirp4netns and pasta: a tap device in the client's namespace, and sockets of their own on the router.

They know of streams and datagrams, not of packets: the client's connection ends in them, and they make
another one. So the client sends by the tap device and not by its cable, under an address of that network.
"""

import json
import shutil
import subprocess
import tempfile
from contextlib import suppress
from ipaddress import IPv4Address

from nfmasq.bench.programs import Program, kill, last_line
from nfmasq.bench.reading import BenchError, Unavailable
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

DEVICE = "tap0"
CLIENT = IPv4Address("10.0.2.100")
GATEWAY = IPv4Address("10.0.2.2")
NETWORK_BITS = 24
MTU = 65520

PACKAGES = {"slirp4netns": "slirp4netns", "pasta": "passt"}
"""The Debian package each is in."""

_UP_WITHIN_S = 10.0


def start(name: str, router: Namespace, client: Namespace) -> Program:
    """Start it on the router; the client's traffic goes its way from now on. The caller ends it."""
    if not shutil.which(name):
        raise Unavailable(f"{name} not found: apt-get install {PACKAGES[name]}")
    client.ip("route delete default")

    def settled() -> bool:
        return program.poll() is not None or _has_a_default_route(client)

    with tempfile.TemporaryFile("w+") as said:
        program = router.popen(
            *_COMMANDS[name](f"/proc/self/fd/{client.fd}"),
            pass_fds=[client.fd],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        with suppress(TimeoutError):
            wait_until(settled, f"{name} to lay its device", _UP_WITHIN_S)
        if program.poll() is None and _has_a_default_route(client):
            return program
        kill(program)
        said.seek(0)
        raise BenchError(f"{name} did not start: {last_line(said.read())}")


def next_hop(client: Namespace) -> bytes:
    """The hardware address the client sends to, once it has sent something."""
    for entry in json.loads(client.run("ip", "-json", "neighbour", "show", "dev", DEVICE)):
        if entry["dst"] == str(GATEWAY) and "lladdr" in entry:
            return bytes.fromhex(entry["lladdr"].replace(":", ""))
    raise BenchError(f"no program answers for {GATEWAY}")


def _has_a_default_route(client: Namespace) -> bool:
    return bool(json.loads(client.run("ip", "-json", "route", "show", "default") or "[]"))


def _slirp4netns(namespace: str) -> list[str]:
    options = ("--configure", f"--mtu={MTU}", "--disable-host-loopback", "--netns-type=path")
    return ["slirp4netns", *options, namespace, DEVICE]


def _pasta(namespace: str) -> list[str]:
    addresses = ("--address", str(CLIENT), "--netmask", str(NETWORK_BITS), "--gateway", str(GATEWAY))
    nothing_inwards = [word for kind in "tuTU" for word in (f"-{kind}", "none")]
    as_root = ("--runas", "0")  # else it could not enter the client's namespace
    device = ("--config-net", "--ns-ifname", DEVICE, "--interface", "wan0", "--mtu", str(MTU))
    options = ("--foreground", "--stderr", "--ipv4-only", *as_root, *device, *addresses, *nothing_inwards)
    return ["pasta", *options, "--netns", namespace]


_COMMANDS = {"slirp4netns": _slirp4netns, "pasta": _pasta}

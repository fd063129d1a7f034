"""The PPTP programs the helper is tried with: pptpd and pptp-linux, each with an end of PPP that is not pppd.

What is stored of each program: a directory of its own, gone at the end, and the process with its children.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from netns.ftp_servers import PROGRAMS, program
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

FAKE_PPP = Path(__file__).with_name("fake_ppp.py")
Heard = Mapping[str, Mapping[str, int]]
"""By the name of an end: whom it has heard, and how often."""


class Ends:
    """The ends of PPP that one program started; their notes lie in a directory. group: its processes."""

    def __init__(self, place: Path, group: int) -> None:
        self.place = place
        self.group = group

    def hang_up(self) -> None:
        """Ask the program and its children to end."""
        os.killpg(self.group, signal.SIGTERM)

    def heard(self) -> Heard:
        """What they have heard until now."""
        return {
            path.name: json.loads(path.read_text())
            for path in self.place.glob("end-*")
            if path.suffix != ".new"
        }


@contextmanager
def _running(host: Namespace, place: Path, *steps: str) -> Iterator["subprocess.Popen[str]"]:
    """Shell commands in a mount namespace of their own, whose /run is empty; the last one goes on."""
    script = "; ".join(("set -e", "mount -t tmpfs none /run", *steps))
    with (place / "output").open("w") as output:
        process: subprocess.Popen[str] = host.popen(
            "unshare", "-m", "sh", "-c", script,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def pptpd(host: Namespace, address: IPv4Address) -> Iterator[Ends]:
    """The server on a host: its own mount namespace has its programs where it looks for them."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-pptp-") as name:
        place, ppp, config = Path(name), Path(name) / "ppp", Path(name) / "conf"
        ppp.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, str(FAKE_PPP), name])}\n")
        ppp.chmod(0o755)
        config.write_text(
            f"ppp {ppp}\noption /dev/null\nlisten {address}\nlocalip 10.9.0.1\nremoteip 10.9.0.100-199\n"
        )
        steps = (
            f"mount --bind {PROGRAMS}/usr/sbin /usr/sbin",
            f"exec /usr/sbin/pptpd -f -c {config} -p {place}/pid",
        )
        with _running(host, place, *steps) as server:
            wait_until(
                lambda: server.poll() is not None or ":1723 " in host.run("ss", "-Hltn"),
                "pptpd to listen",
                10,
            )
            assert server.poll() is None, (place / "output").read_text()
            yield Ends(place, server.pid)


@contextmanager
def pptp(host: Namespace, server: IPv4Address, own: IPv4Address, key: int) -> Iterator[Ends]:
    """A client on a host; its call has this id, because its source of random numbers says nothing else."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-pptp-") as name:
        place = Path(name)
        (place / "random").write_bytes(key.to_bytes(2, "little") * 4096)
        command = [
            sys.executable, str(FAKE_PPP), name, program("pptp"), str(server),
            "--nolaunchpppd", "--nobuffer", "--nohostroute", "--localbind", str(own),
        ]  # fmt: skip
        steps = (
            "mkdir /run/pptp",
            f"mount --bind {place}/random /dev/random",
            f"exec {shlex.join(command)}",
        )
        with _running(host, place, *steps) as client:
            yield Ends(place, client.pid)

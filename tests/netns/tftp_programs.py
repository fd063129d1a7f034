"""The TFTP programs the helper is tried with: tftpd-hpa, atftpd, dnsmasq; curl, tftp-hpa, atftp.

What is stored of each server: a directory of files, gone at the end, and the process.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from netns.ftp_servers import program
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

SERVERS = ("in.tftpd", "atftpd", "dnsmasq")
CLIENTS = ("curl", "tftp", "atftp")


def serving(name: str, address: IPv4Address, files: Path) -> list[str]:
    """The command that runs a server in the foreground."""
    commands = {
        "in.tftpd": ["-L", "-c", "-p", "-u", "nobody", "-s", str(files), "-a", f"{address}:69"],
        "atftpd": [
            "--daemon", "--no-fork", "--user", "root", "--group", "root", "--bind-address", str(address),
        ],
        "dnsmasq": [
            "--keep-in-foreground", "--port=0", "--enable-tftp", f"--tftp-root={files}", "--pid-file=",
            "--conf-file=/dev/null", f"--listen-address={address}", "--bind-interfaces", "--user=root",
        ],
    }  # fmt: skip
    more = [str(files)] if name == "atftpd" else []
    return [program(name), *commands[name], *more]


@contextmanager
def tftp_server(host: Namespace, name: str, address: IPv4Address) -> Iterator[Path]:
    """A server on a host; the directory of its files."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-tftp-") as place:
        files = Path(place) / "files"
        files.mkdir()
        Path(place).chmod(0o755)
        files.chmod(0o777)
        with (Path(place) / "output").open("w") as output:
            server = host.popen(
                *serving(name, address, files), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        try:
            wait_until(
                lambda: server.poll() is not None or ":69 " in host.run("ss", "-Hlun"),
                f"{name} to listen",
                10,
            )
            assert server.poll() is None, (Path(place) / "output").read_text()
            yield files
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


def get(host: Namespace, client: str, server: IPv4Address, name: str, to: Path, *more: str) -> None:
    """Fetch a file. more: further arguments of the client."""
    commands = {
        "curl": ["curl", "-sS", "--max-time", "20", *more, "-o", str(to), f"tftp://{server}/{name}"],
        "tftp": [program("tftp"), *more, "-m", "binary", str(server), "-c", "get", name, str(to)],
        "atftp": [
            program("atftp"), *more, "--option", "blksize 1024", "-g", "-r", name, "-l", str(to), str(server),
        ],
    }  # fmt: skip
    host.run(*commands[client], timeout=30)


def put(host: Namespace, client: str, server: IPv4Address, file: Path) -> None:
    """Send a file; it keeps its name."""
    commands = {
        "curl": ["curl", "-sS", "--max-time", "20", "-T", str(file), f"tftp://{server}/{file.name}"],
        "tftp": [program("tftp"), "-m", "binary", str(server), "-c", "put", str(file), file.name],
        "atftp": [program("atftp"), "-p", "-l", str(file), "-r", file.name, str(server)],
    }
    host.run(*commands[client], timeout=30)

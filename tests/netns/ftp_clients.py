"""The FTP clients the helper is tried with: curl, lftp, tnftp and Python's ftplib.

Each fetches files and puts others on ONE control connection, with the command asked for: "PORT", "EPRT",
"PASV" or "EPSV". Each function returns what the client said, commands and replies included; a client that
cannot be told to use a command is not in FORMS for it.
"""

import ftplib
import io
import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

from nfmasq.lab.namespace import Namespace

PATIENCE_S = 30


class Task(NamedTuple):
    """Fetch these files from the server's root into here/got, and put those of here/given into up/."""

    server: IPv4Address
    login: tuple[str, str]
    files: Sequence[str]
    here: Path

    @property
    def got(self) -> Path:
        """Where to put what was fetched."""
        return self.here / "got"

    @property
    def given(self) -> list[str]:
        """What to put there."""
        return [f"{self.here}/given/{name}" for name in self.files]


def curl(host: Namespace, form: str, task: Task) -> str:
    """All that one command line names goes over one connection."""
    options = {
        "PORT": ["--ftp-port", "-", "--disable-eprt"],
        "EPRT": ["--ftp-port", "-", "--eprt"],
        "PASV": ["--ftp-pasv", "--disable-epsv"],
        "EPSV": ["--ftp-pasv", "--epsv"],
    }[form]
    there = (["-T", path, "-o", "/dev/null", f"ftp://{task.server}/up/"] for path in task.given)
    back = (["-o", f"{task.got}/{name}", f"ftp://{task.server}/{name}"] for name in task.files)
    transfers = [word for words in (*there, *back) for word in words]
    login = ":".join(task.login)
    return host.run(
        "curl", "-q", "-sSv", "--fail-early", "-u", login, *options, *transfers, timeout=PATIENCE_S
    )


def lftp(host: Namespace, form: str, task: Task) -> str:
    """It uses one connection as long as nothing runs in parallel."""
    commands = [
        "debug 9",
        "set net:max-retries 1",
        "set net:timeout 10",
        "set net:connection-limit 1",
        "set ftp:ssl-allow no",
        "set ftp:passive-mode " + ("no" if form == "PORT" else "yes"),
        "set ftp:prefer-epsv " + ("yes" if form == "EPSV" else "no"),
        f"open -u {','.join(task.login)} {task.server}",
        f"lcd {task.got}",
        *(f"get {name}" for name in task.files),
        f"lcd {task.here}/given",
        "cd up",
        *(f"put {name}" for name in task.files),
        "bye",
    ]
    return host.run("lftp", "--norc", "-c", "; ".join(commands), timeout=PATIENCE_S)


def tnftp(host: Namespace, form: str, task: Task) -> str:
    """The BSDs' client, told what to do on its standard input."""
    user, password = task.login
    commands = [
        f"user {user} {password}",
        f"lcd {task.got}",
        "binary",
        *(f"get {name}" for name in task.files),
        f"lcd {task.here}/given",
        "cd up",
        *(f"put {name}" for name in task.files),
        "bye",
    ]
    if form in {"PORT", "PASV"}:
        commands.insert(0, "epsv4 off")
    mode = "-A" if form in {"PORT", "EPRT"} else "-p"
    said = "\n".join(commands) + "\n"
    return host.run("tnftp", "-n", "-v", "-d", "-i", mode, str(task.server), input=said, timeout=PATIENCE_S)


class _Client(ftplib.FTP):
    """Takes the extended commands for IPv4, too."""

    extended = False

    def makeport(self) -> socket.socket:
        """Listen, and say so by PORT or EPRT."""
        sock = socket.create_server(("", 0))
        assert self.sock is not None
        address, port = self.sock.getsockname()[0], sock.getsockname()[1]
        self.voidcmd(f"EPRT |1|{address}|{port}|") if self.extended else self.sendport(address, port)
        sock.settimeout(self.timeout)
        return sock

    def makepasv(self) -> tuple[str, int]:
        """Where the server listens, by PASV or EPSV."""
        if not self.extended:
            return super().makepasv()
        assert self.sock is not None
        return ftplib.parse229(self.sendcmd("EPSV"), self.sock.getpeername())


def python(host: Namespace, form: str, task: Task) -> str:
    """ftplib, in the host's namespace."""

    def work() -> str:
        with _Client(timeout=10) as ftp:
            ftp.connect(str(task.server))
            ftp.login(*task.login)
            ftp.set_pasv(form in {"PASV", "EPSV"})
            ftp.extended = form in {"EPRT", "EPSV"}
            for name in task.files:
                with (task.got / name).open("wb") as file:
                    ftp.retrbinary(f"RETR {name}", file.write)
            for path in map(Path, task.given):
                ftp.storbinary(f"STOR up/{path.name}", io.BytesIO(path.read_bytes()))
        return form

    said: str = host.call(work)
    return said


Client = Callable[[Namespace, str, Task], str]
FORMS: dict[Client, tuple[str, ...]] = {
    curl: ("PORT", "EPRT", "PASV", "EPSV"),
    lftp: ("PORT", "PASV", "EPSV"),
    tnftp: ("PORT", "EPRT", "PASV", "EPSV"),
    python: ("PORT", "EPRT", "PASV", "EPSV"),
}
ACTIVE = {"PORT", "EPRT"}

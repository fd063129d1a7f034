"""The FTP servers that the helper is tried with: vsftpd, ProFTPD and Pure-FTPd, in a namespace.

What is stored: a directory with the files served and the server's own, gone at the end, and the process.
They run as they come from Debian, with every check of theirs enabled that an address could fail.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

PROGRAMS = Path(__file__).parents[2] / ".servers"
NOBODY = 65534
USER, PASSWORD = "ann", "secret"
ENCRYPTED = "$6$nfmasq$gkyHGjnKti5RSRQiWZllkcIkIHPPprO/WhqYEHY9LqkODpZbQZtRTuRFDlw08rn3LzWSkLd9.PxL7u7YXl9sr1"


def program(name: str) -> str:
    """The path of a server's program; it need not be installed, only unpacked by tests/run."""
    unpacked = [PROGRAMS / "usr" / place / name for place in ("sbin", "bin")]
    found = next((str(path) for path in unpacked if path.exists()), None)
    if found is None:
        raise FileNotFoundError(f"{name} is not unpacked below {PROGRAMS}: run tests/run once, as root")
    return found


def vsftpd(place: Path, files: Path) -> list[str]:
    """The command that runs vsftpd: anonymous only."""
    (place / "empty").mkdir()
    settings = {
        "listen": "YES",
        "background": "NO",
        "anonymous_enable": "YES",
        "no_anon_password": "YES",
        "ftp_username": "daemon",  # one whose home exists
        "nopriv_user": "nobody",
        "anon_root": files,
        "write_enable": "YES",
        "anon_upload_enable": "YES",
        "anon_other_write_enable": "YES",
        "anon_umask": "022",
        "connect_from_port_20": "YES",
        "port_promiscuous": "NO",
        "pasv_promiscuous": "NO",
        "secure_chroot_dir": place / "empty",
        "seccomp_sandbox": "NO",
    }
    config = place / "vsftpd.conf"
    config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return [program("vsftpd"), str(config)]


def proftpd(place: Path, files: Path) -> list[str]:
    """The command that runs ProFTPD: one user of its own file."""
    (place / "users").write_text(f"{USER}:{ENCRYPTED}:{NOBODY}:{NOBODY}::{files}:/bin/sh\n")
    (place / "users").chmod(0o600)
    config = place / "proftpd.conf"
    config.write_text(f"""
        ServerType standalone
        DefaultServer on
        Port 21
        UseIPv6 off
        UseReverseDNS off
        User nobody
        Group nogroup
        AuthOrder mod_auth_file.c
        AuthUserFile {place}/users
        RequireValidShell off
        AllowForeignAddress off
        AllowOverwrite on
        DelayEngine off
        DefaultRoot {files}
        PidFile {place}/pid
        ScoreboardFile {place}/scoreboard
        SystemLog {place}/log
        TransferLog none
        WtmpLog off
    """)
    return [program("proftpd"), "--nodaemon", "--quiet", "--config", str(config)]


def pure_ftpd(place: Path, files: Path) -> list[str]:
    """The command that runs Pure-FTPd: one virtual user."""
    users, database = place / "passwd", place / "pdb"
    users.write_text(f"{USER}:{ENCRYPTED}:{NOBODY}:{NOBODY}::{files}/./::::::::::::\n")
    subprocess.run([program("pure-pw"), "mkdb", database, "-f", users], check=True)
    return [program("pure-ftpd"), "-4HE", "-l", f"puredb:{database}", "-g", f"{place}/pid", "-U", "022:022"]


Kind = Callable[[Path, Path], list[str]]
KINDS: tuple[Kind, ...] = (vsftpd, proftpd, pure_ftpd)


def login_of(kind: Kind) -> tuple[str, str]:
    """User and password."""
    return ("anonymous", "me@example") if kind is vsftpd else (USER, PASSWORD)


@contextmanager
def serving(kind: Kind, host: Namespace) -> Iterator[Path]:
    """The server on port 21 of a host; the directory it serves."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-ftp-") as name:
        place = Path(name)
        place.chmod(0o755)
        files = place / "files"
        files.mkdir()
        with (place / "output").open("w") as output:
            server = host.popen(
                *kind(place, files),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(),
                start_new_session=True,
            )
        try:
            wait_until(lambda: server.poll() is not None or _listens(host), f"{kind.__name__} to listen", 10)
            assert server.poll() is None, (place / "output").read_text()
            yield files
        finally:
            os.killpg(server.pid, signal.SIGKILL)  # and the processes of its sessions
            server.wait(10)


def _listens(host: Namespace) -> bool:
    return ":21 " in host.run("ss", "-Hltn")


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}

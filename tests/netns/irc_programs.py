"""The IRC programs the helper is tried with: ngIRCd as the server, irssi as the clients.

What is stored of each: a directory of its own, gone at the end, and the process. irssi wants a terminal: it
gets one, and a thread keeps all it shows.
"""

import os
import pty
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from pathlib import Path

from netns.ftp_servers import program
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

PORT = 6667
PATIENCE_S = 20


@contextmanager
def ngircd(host: Namespace) -> Iterator[None]:
    """The server on a host."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-irc-") as name:
        config = Path(name) / "ngircd.conf"
        config.write_text("""
            [Global]
            Name = irc.example
            Info = Lab
            AdminEMail = lab@irc.example
            Ports = 6667
            ServerUID = nobody
            ServerGID = nogroup
            [Limits]
            MaxConnectionsIP = 0
            [Options]
            DNS = no
            Ident = no
            PAM = no
        """)
        Path(name).chmod(0o755)
        with (Path(name) / "output").open("w") as output:
            server = host.popen(
                program("ngircd"), "--nodaemon", "--config", str(config),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until(
                lambda: server.poll() is not None or f":{PORT} " in host.run("ss", "-Hltn"),
                "ngircd to listen",
                10,
            )
            assert server.poll() is None, (Path(name) / "output").read_text()
            yield
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


class Irssi:
    """One user. `shown`: all that its terminal was ever told to show, as it came."""

    def __init__(self, host: Namespace, nick: str, place: Path) -> None:
        self.nick = nick
        self.downloads = place / "downloads"
        self.downloads.mkdir(parents=True)
        (place / "config").write_text(f"""
            settings = {{
              core = {{ real_name = "{nick}"; user_name = "{nick}"; nick = "{nick}"; }};
              "fe-common/core" = {{ autocreate_query_level = ""; autocreate_own_query = "no"; }};
              "irc/dcc" = {{
                dcc_autoget = "yes"; dcc_autochat_masks = "*!*@*"; dcc_autoresume = "yes";
                dcc_download_path = "{self.downloads}"; dcc_file_create_mode = "644";
              }};
            }};
        """)
        self._master, terminal = pty.openpty()
        self._irssi = host.popen(
            "irssi", f"--home={place}", "--noconnect",
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            env={**os.environ, "TERM": "vt100", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        os.close(terminal)
        self.shown = b""
        self._seen = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Irssi":
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._irssi.pid, signal.SIGKILL)
        self._irssi.wait(10)
        self._reader.join(10)
        os.close(self._master)

    def connect(self, server: IPv4Address) -> None:
        """Join a server and wait for its welcome."""
        self.type(f"/connect {server} {PORT}")
        self.sees("Welcome to the Internet Relay Network")

    def type(self, line: str) -> None:
        """Type a line, as at the keyboard."""
        os.write(self._master, line.encode() + b"\r")

    def sees(self, text: str) -> None:
        """Wait until the terminal has shown a text behind what was seen before; words may be apart."""
        words = text.encode().split()

        def there() -> bool:
            at = self._seen
            for word in words:
                at = self.shown.find(word, at) + len(word)
                if at < len(word):
                    return False
            self._seen = at
            return True

        try:
            wait_until(there, f"{self.nick}'s irssi to show {text!r}", PATIENCE_S)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.shown[-2000:].decode(errors='replace')}") from None

    def _read(self) -> None:
        with suppress(OSError):  # the terminal is gone when irssi is
            while data := os.read(self._master, 4096):
                self.shown += data

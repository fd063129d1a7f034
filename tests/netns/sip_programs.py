"""The SIP programs the helper is tried with: Kamailio as registrar and proxy, baresip as phones, sipp.

What is stored of each: a directory of its own, gone at the end, and the process. A baresip is told what to do
by its control connection.
"""

import json
import math
import os
import signal
import socket
import struct
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address
from itertools import pairwise
from pathlib import Path

from netns.ftp_servers import PROGRAMS, program
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.waiting import wait_until

PORT = 5060
CONTROL = 4444
PATIENCE_S = 20
RATE = 8000
TONE_S = 60
QUIET = 500
LIBRARIES = PROGRAMS / "usr" / "lib" / "x86_64-linux-gnu" / "kamailio"

_ROUTES = {
    "plain": ("", "", "", ""),
    "aware of NATs": (
        'loadmodule "nathelper.so"\n',
        'force_rport(); if (is_method("REGISTER")) { fix_nated_register(); } else { set_contact_alias(); }\n',
        "handle_ruri_alias();\n",
        "reply_route { set_contact_alias(); }\n",
    ),
}
"""Kamailio, as it comes and as a provider runs it: modules, what is done first, in a dialog, with answers."""
PROXIES = tuple(_ROUTES)


def kamailio_config(place: Path, address: IPv4Address, kind: str) -> str:
    """Kamailio's configuration: whoever registers is registered."""
    modules, first, within, answers = _ROUTES[kind]
    received = 'modparam("registrar", "received_avp", "$avp(received)")\n' if modules else ""
    received += 'modparam("nathelper", "received_avp", "$avp(received)")\n' if modules else ""
    return f"""
        debug=1
        log_stderror=yes
        fork=yes
        children=2
        tcp_children=2
        auto_aliases=no
        mpath="{LIBRARIES / "modules"}"
        listen=udp:{address}:{PORT}
        listen=tcp:{address}:{PORT}
        loadmodule "sl.so"
        loadmodule "tm.so"
        loadmodule "rr.so"
        loadmodule "pv.so"
        loadmodule "maxfwd.so"
        loadmodule "textops.so"
        loadmodule "siputils.so"
        loadmodule "usrloc.so"
        loadmodule "registrar.so"
        {modules}
        {received}
        request_route {{
            mf_process_maxfwd_header("10");
            {first}
            if (is_method("REGISTER")) {{ save("location"); exit; }}
            if (has_totag()) {{
                {within}
                if (!loose_route() && is_method("ACK") && !t_check_trans()) {{ exit; }}
                t_relay(); exit;
            }}
            if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
            record_route();
            if (!lookup("location")) {{ sl_send_reply("404", "Not here"); exit; }}
            t_relay();
        }}
        {answers}
    """


@contextmanager
def kamailio(host: Namespace, address: IPv4Address, kind: str) -> Iterator[None]:
    """Kamailio on a host."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-sip-") as name:
        config = Path(name) / "kamailio.cfg"
        config.write_text(kamailio_config(Path(name), address, kind))
        with _running(
            host, Path(name),
            program("kamailio"), "-f", str(config), "-DD", "-E", "-w", name, "-Y", name, "-P", f"{name}/pid",
            "-m", "32", "-M", "4",
        ) as server:  # fmt: skip
            _await_port(host, server, PORT, Path(name))
            yield


@contextmanager
def _running(host: Namespace, place: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A program, in a session of its own; what it says is in `output`."""
    with (place / "output").open("w") as output:
        started = host.popen(
            *command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES), "HOME": str(place)}, cwd=place,
        )  # fmt: skip
    try:
        yield started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait(10)


def _await_port(host: Namespace, server: subprocess.Popen[str], port: int, place: Path) -> None:
    wait_until(
        lambda: server.poll() is not None or f":{port} " in host.run("ss", "-Hlun"),
        f"port {port}",
        PATIENCE_S,
    )
    assert server.poll() is None, (place / "output").read_text()


def tone(file: Path, hertz: int) -> None:
    """Write a minute of a tone."""
    with wave.open(str(file), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        period = [int(12000 * math.sin(2 * math.pi * hertz * nth / RATE)) for nth in range(RATE)]
        out.writeframes(struct.pack(f"<{RATE}h", *period) * TONE_S)


def hertz_of(file: Path) -> int:
    """The tone that a file holds, by its crossings of zero; 0 where it is silent."""
    data = file.read_bytes()[44:]  # its header counts no samples while the call lasts
    samples = struct.unpack(f"<{len(data) // 2}h", data[: len(data) // 2 * 2])[-RATE // 2 :]
    signs = [each < 0 for each in samples if abs(each) > QUIET]
    crossings = sum(one != other for one, other in pairwise(signs))
    return round(crossings / 2 * RATE / len(samples)) if samples else 0


class Baresip:
    """A phone. hertz: the tone it sends."""

    def __init__(
        self, host: Namespace, address: IPv4Address, user: str, proxy: IPv4Address, hertz: int,
        *, transport: str = "udp", account: str = "",
    ) -> None:  # fmt: skip
        self.user = user
        self._open = tempfile.TemporaryDirectory(prefix=f"nfmasq-{user}-")
        self._place = Path(self._open.name)
        self._seen = 0
        tone(self._place / "tone.wav", hertz)
        (self._place / "accounts").write_text(
            f"<sip:{user}@{proxy};transport={transport}>;regint=60;auth_pass=none;answermode=auto{account}\n"
        )
        (self._place / "contacts").touch()
        modules = PROGRAMS / "usr" / "lib" / "baresip" / "modules"
        (self._place / "config").write_text(f"""
sip_listen {address}:{PORT}
call_max_calls 4
audio_source aufile,{self._place}/tone.wav
audio_player aubridge,nowhere
audio_alert aubridge,nowhere
snd_path {self._place}
rtp_ports 10000-10100
rtp_stats yes
ctrl_tcp_listen 127.0.0.1:{CONTROL}
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module stun.so
module ice.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
""")
        with (self._place / "output").open("w") as output:
            self._phone = host.popen(
                program("baresip"), "-f", str(self._place), "-v", stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, cwd=self._place,
            )  # fmt: skip
        wait_until(lambda: self._reach(host), f"{user}'s phone to begin", PATIENCE_S)

    def __enter__(self) -> "Baresip":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._phone.pid, signal.SIGKILL)
        self._phone.wait(10)
        self._control.close()
        self._open.cleanup()

    @property
    def output(self) -> str:
        """All that it has written."""
        return (self._place / "output").read_text(errors="replace")

    def hears(self, hertz: int) -> None:
        """Wait until its call of this moment brings this tone, and clear of gaps."""

        def there() -> bool:
            files = sorted(self._place.glob("dump-*-dec.wav"))
            return bool(files) and abs(hertz_of(files[-1]) - hertz) < hertz / 10

        try:
            wait_until(there, f"{self.user}'s phone to hear {hertz} Hz", PATIENCE_S)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def do(self, command: str, parameters: str = "") -> None:
        """Tell it a command."""
        text = json.dumps({"command": command, "params": parameters})
        self._control.sendall(f"{len(text)}:{text},".encode())

    def says(self, text: str) -> None:
        """Wait until its output has a text behind what was seen before."""

        def there() -> bool:
            at = self.output.find(text, self._seen)
            self._seen = at + len(text) if at >= 0 else self._seen
            return at >= 0

        try:
            wait_until(there, f"{self.user}'s phone to say {text!r}", PATIENCE_S)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def _reach(self, host: Namespace) -> bool:
        assert self._phone.poll() is None, self.output
        with suppress(OSError):
            self._control = host.call(socket.create_connection, ("127.0.0.1", CONTROL), 5)
            self._control.settimeout(None)
            return True
        return False


@contextmanager
def sipp_answering(host: Namespace, address: IPv4Address, transport: str) -> Iterator[Path]:
    """SIPp that answers calls; the file of its messages."""
    with tempfile.TemporaryDirectory(prefix="nfmasq-sipp-") as name:
        command = *_sipp(address, PORT, transport, Path(name)), "-sn", "uas", "-rtp_echo"
        with _running(host, Path(name), *command) as server:
            listening = "-Hltn" if transport == "tcp" else "-Hlun"
            wait_until(
                lambda: server.poll() is not None or f":{PORT} " in host.run("ss", listening),
                "SIPp to listen",
                PATIENCE_S,
            )
            assert server.poll() is None, (Path(name) / "output").read_text()
            yield Path(name) / "messages"


def sipp_calling(
    host: Namespace, address: IPv4Address, server: IPv4Address, place: Path, *, transport: str, calls: int
) -> str:
    """Let SIPp call so often, each call a moment long; its messages. Fails where a call does."""
    host.run(
        *_sipp(address, 5066, transport, place), "-sn", "uac", f"{server}:{PORT}", "-m", str(calls),
        "-d", "200", "-recv_timeout", "5000", "-timeout", "30",
        timeout=60,
    )  # fmt: skip
    return (place / "messages").read_text(errors="replace")


def _sipp(address: IPv4Address, port: int, transport: str, place: Path) -> list[str]:
    return [
        program("sipp"), "-i", str(address), "-p", str(port), "-nostdin",
        "-t", "t1" if transport == "tcp" else "u1",
        "-trace_msg", "-message_file", str(place / "messages"), "-message_overwrite", "true",
    ]  # fmt: skip

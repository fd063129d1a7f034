"""Busy control connections:
`python -m perf.pouring`, and `serve PORT…`, `pour SERVER` or `loop SERVER`.

The server greets as FTP's do and answers every line, so that a helper reads both sides. `pour` logs in and
sends PORT lines as fast as they are answered; `loop` opens one connection after the other whose helper is
going to be cut off, no more of them than leave it enabled. Both stay until they are ended.
"""

import socket
import sys
import threading
from itertools import count

from nfmasq.helpers.engine.enabled import MOST_CUT_OFF
from perf.looping import LOOP, Looping

FTP = 21
LINES = 20
"""Sent in one piece."""
UNANSWERED = 2 * LINES
"""Lines that may wait for an answer: a client that never waits makes the engine let go of its connection."""
_ANSWERS = {b"USER": b"331 Any password will do\r\n", b"PASS": b"230 Logged in\r\n"}
_FINE = b"200 Fine\r\n"
_PATIENCE_S = 5.0


def _serve(ports: list[int]) -> None:
    def listen(port: int) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", port))
        sock.listen()
        return sock

    listening = [listen(port) for port in ports]
    for sock in listening:
        threading.Thread(target=_accept, args=(sock,), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


def _accept(sock: socket.socket) -> None:
    while True:
        connection, _ = sock.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.sendall(b"220 Service ready\r\n")
            begun = b""
            while data := connection.recv(65536):
                *lines, begun = (begun + data).split(b"\n")
                connection.sendall(b"".join(_ANSWERS.get(line[:4], _FINE) for line in lines))
        except OSError:
            return


def _pour(server: str) -> None:
    with socket.create_connection((server, FTP), _PATIENCE_S) as connection:
        greeting = connection.makefile("rb")
        greeting.readline()
        for line in (b"USER anonymous\r\n", b"PASS me@\r\n"):
            connection.sendall(line)
            greeting.readline()
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = connection.getsockname()[0].replace(".", ",")
        print("ready", flush=True)
        unanswered = 0
        for number in count():
            ports = (5000 + (number * LINES + nth) % 60_000 for nth in range(LINES))
            lines = "".join(f"PORT {address},{port >> 8},{port & 255}\r\n" for port in ports)
            connection.sendall(lines.encode())
            unanswered += LINES
            while unanswered > UNANSWERED:
                unanswered -= connection.recv(65536).count(b"\n")


def _loop(server: str) -> None:
    print("ready", flush=True)
    for _ in range(MOST_CUT_OFF - 1):
        with socket.create_connection((server, Looping.ports[0]), _PATIENCE_S) as connection:
            greeting = connection.makefile("rb")
            greeting.readline()
            connection.sendall(LOOP)
            greeting.readline()
    threading.Event().wait()


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "serve":
        _serve([int(port) for port in arguments])
    elif what == "pour":
        _pour(arguments[0])
    else:
        _loop(arguments[0])

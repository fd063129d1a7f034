"""The program that runs on each server of the lab: `python -m nfmasq.lab.servers --file-fd N`.

    TCP 80   HTTP: GET /file sends the file of descriptor N; GET /seen answers "address port" as the server
             saw them; PUT anything answers with the SHA-256 of what came
    UDP 53   answers "address port" as the server saw them, a space, and what was sent
    UDP 7    answers with what was sent

It prints "ready" when all three listen.
"""

import argparse
import hashlib
import os
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

IP_MTU_DISCOVER, IP_PMTUDISC_DONT = 10, 0
CHUNK = 1 << 20


class Web(BaseHTTPRequestHandler):
    """HTTP/1.1 with just what the tour asks for."""

    protocol_version = "HTTP/1.1"
    file_fd = -1

    def do_GET(self) -> None:
        """Send the file, or the client's endpoint."""
        if self.path == "/file":
            self._send_file()
        elif self.path == "/seen":
            self._answer("{} {}".format(*self.client_address[:2]))
        else:
            self.send_error(404)

    def do_PUT(self) -> None:
        """Read what comes and answer with its checksum."""
        left = int(self.headers.get("Content-Length", 0))
        digest, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK))
        while left and (got := self.rfile.readinto(buffer[: min(left, CHUNK)])):
            digest.update(buffer[:got])
            left -= got
        self._answer(digest.hexdigest())

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing: no program reads it, and a full pipe would block this one."""

    def _answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self) -> None:
        size = os.fstat(self.file_fd).st_size
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.flush()
        offset = 0
        while offset < size:
            offset += os.sendfile(self.connection.fileno(), self.file_fd, offset, size - offset)


class WebServer(ThreadingHTTPServer):
    """A thread a connection; room for a thousand clients at the door."""

    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that went away in the middle."""


def answer_datagrams(port: int, tell: bool) -> None:
    """Echo UDP for ever; with `tell`, put the sender's endpoint in front."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    sock.bind(("", port))

    def serve() -> None:
        while True:
            data, (address, sender) = sock.recvfrom(65535)
            with suppress(OSError):  # a spoofed sender to whom there is no way
                sock.sendto(f"{address} {sender} ".encode() + data if tell else data, (address, sender))

    threading.Thread(target=serve, daemon=True).start()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--file-fd", type=int, required=True)
    Web.file_fd = parser.parse_args().file_fd
    answer_datagrams(53, tell=True)
    answer_datagrams(7, tell=False)
    with WebServer(("", 80), Web) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()

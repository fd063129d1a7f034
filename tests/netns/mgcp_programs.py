"""osmo-mgw, a gateway of MGCP, and the commands that a call agent sends it."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Address

from netns import unpacked
from nfmasq.lab.namespace import Namespace

GATEWAY_PORT, AGENT_PORT = 2427, 2727
_CONFIG = """
line vty
 no login
 bind {own}
mgcp
 bind ip {own}
 bind port {port}
 rtp bind-ip {own}
 rtp port-range 16384 16400
 number endpoints 4
 domain mgw
"""


@contextmanager
def gateway(host: Namespace, own: IPv4Address) -> Iterator[None]:
    """Run osmo-mgw on a host."""
    with unpacked.directory() as place:
        (place / "mgw.cfg").write_text(_CONFIG.format(own=own, port=GATEWAY_PORT))
        ready = partial(unpacked.listens, host, GATEWAY_PORT, "udp")
        with unpacked.running(host, place, "exec osmo-mgw -s -c mgw.cfg", ready=ready, what="osmo-mgw"):
            yield


class Agent:
    """A call agent that commands one gateway by its external endpoint. link: its socket."""

    def __init__(self, link: socket.socket, external: tuple[IPv4Address, int]) -> None:
        self._link = link
        self._external = str(external[0]), external[1]
        self._number = 0

    def ask(self, verb: str, endpoint: str, *parameters: str, body: str = "") -> str:
        """Command the gateway; its answer, which must be a good one."""
        self._number += 1
        lines = (f"{verb} {self._number} {endpoint} MGCP 1.0", *parameters)
        said = "".join(f"{line}\r\n" for line in lines) + (f"\r\n{body}" if body else "")
        self._link.sendto(said.encode(), self._external)
        while True:
            answer = self._link.recv(4000).decode()
            if answer.split()[1] == str(self._number) and not answer.startswith("1"):
                assert answer.startswith("2"), answer
                return answer

    def connect(self, endpoint: str, far: tuple[IPv4Address, int]) -> tuple[str, str, tuple[str, int]]:
        """Create a connection to a far end: the endpoint, the connection's id, and where it hears sound."""
        host, port = far
        body = (
            f"v=0\r\no=- 1 2 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"
            "a=rtpmap:8 PCMA/8000\r\n"
        )
        answer = self.ask("CRCX", endpoint, "C: 1234", "L: p:20, a:PCMA", "M: sendrecv", body=body)
        given = re.search(r"\nZ: *(\S+)", answer)
        identifier, own, hears = (
            re.search(pattern, answer)
            for pattern in (r"\nI: *(\S+)", r"\nc=IN IP4 (\S+)", r"\nm=audio (\d+) ")
        )
        assert None not in {identifier, own, hears}, answer
        assert identifier is not None
        assert own is not None
        assert hears is not None
        return given[1] if given else endpoint, identifier[1], (own[1], int(hears[1]))

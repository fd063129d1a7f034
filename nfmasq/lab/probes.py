"""Short questions by plain sockets: as which endpoint a server sees a client, or that no answer came.

Every function ends by itself and raises nothing for silence: no answer is an answer here.
"""

import socket
from ipaddress import IPv4Address
from typing import Literal

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.packets import Endpoint
from nfmasq.lab.waiting import patient

Kind = Literal["udp", "tcp"]

KINDS: tuple[Kind, ...] = ("udp", "tcp")

PORTS: dict[Kind, int] = {"udp": 53, "tcp": 80}
"""Where the lab's servers say whom they see."""

_REQUEST = b"GET /seen HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"


def seen_as(
    client: Namespace,
    server: IPv4Address | str,
    kind: Kind = "udp",
    *,
    port: int = 0,
    source: IPv4Address | str = "",
    source_port: int = 0,
    patience: float = 1.5,
) -> Endpoint | None:
    """The endpoint as which the server sees the client; None when no answer comes in `patience` seconds.

    port: of the server, when another one leads to it. source: the client's own address, of several. patience:
    of a usual machine.
    """

    def question() -> Endpoint | None:
        form = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, form) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.settimeout(patient(patience))
            try:
                sock.bind((str(source), source_port))
                sock.connect((str(server), port or PORTS[kind]))
                sock.sendall(b"who" if kind == "udp" else _REQUEST)
                answer = sock.recv(4096) if kind == "udp" else b"".join(iter(lambda: sock.recv(4096), b""))
            except OSError:
                return None
        words = answer.rpartition(b"\r\n")[2].split()
        return (IPv4Address(words[0].decode()), int(words[1])) if len(words) >= 2 else None

    found: Endpoint | None = client.call(question)
    return found


def address_seen(
    client: Namespace,
    server: IPv4Address | str,
    kind: Kind = "udp",
    *,
    source: IPv4Address | str = "",
    patience: float = 1.5,
) -> str:
    """As `seen_as`, the address alone in words; "nobody" when no answer comes."""
    found = seen_as(client, server, kind, source=source, patience=patience)
    return str(found[0]) if found else "nobody"

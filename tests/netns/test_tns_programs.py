"""Oracle Net end to end: python-oracledb outside is sent on by a listener inside, which a script plays."""

import json
import socket
import sys
from collections.abc import Iterator
from threading import Thread

import pytest

from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, Topology

LAB = {
    "config": {
        "helpers": {"tns": True},
        "network": [{"cidr": "192.168.1.0/24", "filtering": "address-and-port-dependent"}],
        "forward": [{"protocol": "tcp", "external_port": 1521, "to": f"{CLIENT2}:1521"}],
    }
}
PORT = 21521
SENT_ON = f"(ADDRESS=(PROTOCOL=tcp)(HOST={CLIENT2})(PORT={PORT}))".encode()
BEHIND = b"\0(DESCRIPTION=(CONNECT_DATA=(SERVICE_NAME=orders)))"
REFUSED = b"\0\0\0\x24(DESCRIPTION=(ERR=12514)(VSNNUM=1))\0"
CLIENT = """
import json, oracledb, sys
try:
    oracledb.connect(user="ann", password="x", dsn=sys.argv[1], tcp_connect_timeout=20)
except oracledb.Error as error:
    print(json.dumps(str(error)))
"""


def packet(kind: int, body: bytes) -> bytes:
    """A packet of TNS."""
    return (len(body) + 8).to_bytes(2) + b"\0\0" + bytes([kind]) + b"\0\0\0" + body


@pytest.fixture
def asked(net: Topology) -> Iterator[list[bytes]]:
    """A listener that sends each client on, and a database there that refuses it. What both were asked."""
    heard: list[bytes] = []
    listening = net.client2.call(socket.create_server, ("", 1521))
    working = net.client2.call(socket.create_server, ("", PORT))
    text = SENT_ON + BEHIND

    def serve(waiting: socket.socket, answer: bytes) -> None:
        near, _ = waiting.accept()
        with near:
            near.settimeout(30)
            heard.append(near.recv(4096))
            near.sendall(answer)
            near.recv(4096)

    answers = (
        (listening, packet(5, len(text).to_bytes(2)) + packet(6, b"\0\0" + text)),
        (working, packet(4, REFUSED)),
    )
    with listening, working:
        threads = [Thread(target=serve, args=each, daemon=True) for each in answers]
        for thread in threads:
            thread.start()
        yield heard


def test_a_client_outside_is_sent_on_to_the_external_port(
    net: Topology, lab: Lab, asked: list[bytes]
) -> None:
    printed = net.server1.run(sys.executable, "-c", CLIENT, f"{EXTERNAL}:1521/orders", timeout=60)
    assert len(asked) == 2, printed
    assert [each[4] for each in asked] == [1, 1]
    assert "12514" in json.loads(printed.splitlines()[-1])

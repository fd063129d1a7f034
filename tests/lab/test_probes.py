"""Short questions: as whom a server sees a client."""

import socket
import threading
import time
from ipaddress import IPv4Address

import pytest

from nfmasq.lab.namespace import Namespace
from nfmasq.lab.probes import seen_as
from nfmasq.lab.waiting import SLOWNESS

PORT, SOURCE_PORT = 5300, 4500


def answer_late(server: socket.socket) -> None:
    """One answer, later than a question waits on a usual machine."""
    _, (host, port) = server.recvfrom(64)
    time.sleep(0.3)
    server.sendto(f"{host} {port}".encode(), (host, port))


@pytest.mark.root
def test_on_a_slow_machine_a_question_waits_longer(as_root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SLOWNESS, "100")
    with Namespace("host") as host:
        with host.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", PORT))
            answering = threading.Thread(target=answer_late, args=(server,))
            answering.start()
            seen = seen_as(host, "127.0.0.1", port=PORT, source_port=SOURCE_PORT, patience=0.1)
            answering.join()
        assert seen == (IPv4Address("127.0.0.1"), SOURCE_PORT)

"""Forwarding of one interface, read and set."""

import socket

import pytest
from diversion.traffic import udp
from support.path import PORT, SERVER, Path
from support.paths import path

from nfmasq.machine.forwarding import forwards, set_forwarding

__all__ = ["path"]

pytestmark = pytest.mark.root


def test_what_the_interface_brings_is_forwarded_as_it_is_set_and_no_other_setting_changes(path: Path) -> None:
    def settings() -> str:
        every = "net.ipv4.conf.lan0 net.ipv4.conf.all net.ipv4.conf.wan0 net.ipv4.ip_forward"
        return str(path.router.run("sysctl", "-a", "-r", every.replace(" ", "|").replace(".", r"\.")))

    before = settings()
    index = path.router.call(socket.if_nametoindex, "lan0")
    with path.receiver() as receiver:
        path.router.call(set_forwarding, index, False)
        assert not path.router.call(forwards, "lan0")
        assert path.router.call(forwards, "wan0")
        assert settings() != before
        udp(path.client, SERVER, PORT, b"stopped")
        path.router.call(set_forwarding, index, True)
        assert path.router.call(forwards, "lan0")
        udp(path.client, SERVER, PORT, b"goes on")
        assert receiver.recv(100) == b"goes on"
    assert settings() == before


def test_an_interface_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(OSError, match="No such device"):
        path.router.call(set_forwarding, 9999, False)
    assert not path.router.call(forwards, "none0")

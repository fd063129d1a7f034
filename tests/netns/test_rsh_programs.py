"""rsh end to end, outwards and inwards: netkit's client, and in.rshd, which takes no port of 1024 or more."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import pytest

from netns.unpacked import directory, listens, names, running, script
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, Topology

LAB = {
    "config": {
        "helpers": {"rsh": True},
        "network": [
            {
                "cidr": "192.168.1.0/24",
                "mapping": "address-and-port-dependent",
                "filtering": "address-and-port-dependent",
            }
        ],
        "forward": [{"protocol": "tcp", "external_port": 514, "to": f"{CLIENT2}:514"}],
    }
}
ANN = 1234
ACCOUNT = (
    f"echo ann:x:{ANN}:{ANN}::$PWD:/bin/sh >>/etc/passwd",
    "echo 'ann:*:19000:0:99999:7:::' >>/etc/shadow",
    f"echo ann:x:{ANN}: >>/etc/group",
)
SERVICE = """
service shell
{
    flags = IPv4
    socket_type = stream
    protocol = tcp
    wait = no
    user = root
    server = /usr/sbin/in.rshd
}
"""


@contextmanager
def rshd(host: Namespace, address: IPv4Address, client: IPv4Address) -> Iterator[None]:
    """The server on a host, which lets ann in from one address."""
    with directory() as place:
        (place / ".rhosts").write_text("client ann\n")
        (place / ".rhosts").chmod(0o600)
        (place / "service").write_text(SERVICE)
        for path in (place, place / ".rhosts"):
            os.chown(path, ANN, ANN)
        steps = (names({"client": client, "server": address}), *ACCOUNT)
        with running(
            host, place, *steps, f"exec xinetd -dontfork -f {place}/service -stayalive",
            ready=lambda: listens(host, 514), what="in.rshd",
        ):  # fmt: skip
            yield


def rsh(host: Namespace, server: IPv4Address, command: str) -> str:
    """What ann's command prints on both its outputs; the errors come by a connection of their own."""
    with directory() as place:
        run = f"setpriv --reuid {ANN} --regid {ANN} --clear-groups netkit-rsh -n server '{command}'"
        return host.run(*script(place, names({"server": server}), *ACCOUNT, run))


@pytest.fixture
def server(net: Topology) -> Iterator[None]:
    """A server outside."""
    with rshd(net.server1, SERVER1, EXTERNAL):
        yield


def test_the_errors_of_a_command_arrive(net: Topology, server: None) -> None:
    assert sorted(rsh(net.client1, SERVER1, "echo out; echo err >&2").split()) == ["err", "out"]


def test_two_clients_at_once(net: Topology, server: None) -> None:
    """Both have the ports 1023 and 1022."""
    with directory() as place:
        steps = (names({"server": SERVER1}), *ACCOUNT)
        run = f"exec setpriv --reuid {ANN} --regid {ANN} --clear-groups netkit-rsh -n server"
        with running(
            net.client1, place, *steps, f"{run} 'echo one >&2; sleep 60'",
            ready=lambda: "one" in (place / "output").read_text(), what="the first command",
        ):  # fmt: skip
            assert rsh(net.client2, SERVER1, "echo two >&2").split() == ["two"]


def test_a_client_outside_and_a_server_inside(net: Topology) -> None:
    with rshd(net.client2, CLIENT2, SERVER1):
        assert sorted(rsh(net.server1, EXTERNAL, "echo out; echo err >&2").split()) == ["err", "out"]


def test_one_inside_uses_another_by_the_external_address(net: Topology) -> None:
    with rshd(net.client2, CLIENT2, EXTERNAL):
        assert "out" in rsh(net.client1, EXTERNAL, "echo out")
        assert str(CLIENT1) not in rsh(net.client1, EXTERNAL, "echo out")

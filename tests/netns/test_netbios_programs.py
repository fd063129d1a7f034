"""NetBIOS end to end: Samba's nmbd inside registers with a WINS server outside, and its datagrams name it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netns.unpacked import directory, listens, running, script
from nfmasq.lab.lab import Lab
from nfmasq.lab.namespace import Namespace
from nfmasq.lab.topology import CLIENT1, CLIENT2, EXTERNAL, SERVER1, SERVER2, Topology
from nfmasq.lab.waiting import wait_until

LAB = {
    "config": {
        "helpers": {"nbns": True, "nbdgm": True},
        "forward": [
            {"protocol": "udp", "external_port": port, "to": f"{CLIENT1}:{port}"} for port in (137, 138)
        ],
    }
}


def settings(place: Path, name: str, address: IPv4Address, wins: str) -> None:
    """Samba's configuration of a host."""
    lines = [
        "[global]", f"netbios name = {name}", "workgroup = LAB", f"interfaces = {address}/24",
        "bind interfaces only = yes", f"ncalrpc dir = {place}", wins,
    ]  # fmt: skip
    lines += [f"{kind} directory = {place}" for kind in ("lock", "state", "cache", "pid", "private")]
    (place / "smb.conf").write_text("\n".join(lines) + "\n")


@contextmanager
def nmbd(host: Namespace, name: str, address: IPv4Address, wins: str) -> Iterator[None]:
    """The name service of a host."""
    with directory() as place:
        settings(place, name, address, wins)
        with running(
            host, place, "mkdir /run/samba",
            "exec nmbd -F --debug-stdout --no-process-group -s smb.conf",
            ready=lambda: listens(host, 137, "udp"), what="nmbd",
        ):  # fmt: skip
            yield


def nmblookup(host: Namespace, *arguments: str) -> str:
    """What nmblookup prints; it fails where a name is not known."""
    with directory() as place:
        settings(place, "ASKING", SERVER1, "")
        return host.run(*script(place, "nmblookup -s smb.conf " + " ".join(arguments)), check=False)


def registered(net: Topology, name: str, where: IPv4Address = SERVER1) -> str:
    """What the WINS server says of a name, asked by a host outside."""
    return nmblookup(net.server1, "-U", str(where), "--recursion", name)


@pytest.fixture(scope="module", autouse=True)
def announcements(lab: Lab) -> Iterator[socket.socket]:
    """A browser outside: what comes to its port 138."""
    browser = lab.topology.server2.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with browser:
        browser.bind((str(SERVER2), 138))
        browser.settimeout(60)
        yield browser


@pytest.fixture(scope="module", autouse=True)
def hosts(lab: Lab, announcements: socket.socket) -> Iterator[None]:
    """A WINS server outside, and two hosts inside that register with it."""
    net, wins = lab.topology, f"wins server = {SERVER1}\nremote announce = {SERVER2}"
    with ExitStack() as stack:
        for host, name, address, line in (
            (net.server1, "OUTER", SERVER1, "wins support = yes"),
            (net.client1, "INNER", CLIENT1, wins),
            (net.client2, "OTHER", CLIENT2, wins),
        ):
            stack.enter_context(nmbd(host, name, address, line))
        yield


@pytest.mark.parametrize("name", ["INNER", "OTHER"])
def test_names_inside_are_registered_with_the_external_address(net: Topology, name: str) -> None:
    wait_until(lambda: f"{name}<00>" in registered(net, name), f"{name} to be registered", 30)
    assert f"{EXTERNAL} {name}<00>" in registered(net, name)


def test_a_host_inside_answers_for_its_name_by_the_external_address(net: Topology) -> None:
    asked = registered(net, "INNER", EXTERNAL)
    assert f"{EXTERNAL} INNER<00>" in asked
    assert str(CLIENT1) not in asked


def test_a_host_inside_sees_its_own_name_with_its_own_address(net: Topology) -> None:
    """The server's answer names the external address, which is restored."""
    wait_until(lambda: "INNER<00>" in registered(net, "INNER"), "INNER to be registered", 30)
    seen = nmblookup(net.client1, "-U", str(SERVER1), "--recursion", "INNER", "OUTER")
    assert f"{CLIENT1} INNER<00>" in seen
    assert f"{SERVER1} OUTER<00>" in seen


def test_a_host_s_datagrams_name_the_endpoint_they_come_from(
    net: Topology, announcements: socket.socket
) -> None:
    """Each host announces itself to a browser outside: a datagram of its own."""
    said, source = announcements.recvfrom(2000)
    assert said[0] in range(0x10, 0x13)
    assert (str(IPv4Address(said[4:8])), int.from_bytes(said[8:10])) == source
    assert source[0] == str(EXTERNAL)


def test_the_names_of_a_host_outside(net: Topology) -> None:
    assert "OUTER           <20>" in nmblookup(net.client2, "-A", str(SERVER1))

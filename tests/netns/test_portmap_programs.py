"""SUN RPC end to end: rpcbind and rpc.statd inside, rpcinfo outside, over UDP and TCP, versions 2 to 4."""

import socket
from collections.abc import Iterator

import pytest
from helpers.protocols.portmap.calls import TCP, getport

from netns.ftp_servers import PROGRAMS
from netns.unpacked import directory, listens, running, script
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, SERVER1, Topology

STRICT = {"mapping": "address-and-port-dependent", "filtering": "address-and-port-dependent"}
LAB = {
    "config": {
        "helpers": {"portmap": True},
        "network": [{"cidr": "192.168.1.0/24", **STRICT}],
        "forward": [
            {"protocol": protocol, "external_port": 111, "to": f"{CLIENT2}:111"}
            for protocol in ("tcp", "udp")
        ],
    }
}
STATUS, PORT = "100024", 32765


@pytest.fixture(scope="module", autouse=True)
def server(lab: Lab) -> Iterator[None]:
    """rpcbind inside, with a program that waits at PORT."""
    host = lab.topology.client2
    with directory() as place, running(
        host,
        place,
        "echo _rpc:x:998:65534::/run/rpcbind:/bin/false >>/etc/passwd",
        "mkdir /run/rpcbind",
        f"{PROGRAMS}/sbin/rpcbind -f &",
        "until test -S /run/rpcbind.sock; do sleep 0.1; done",
        f"exec {PROGRAMS}/sbin/rpc.statd -F --no-notify -p {PORT} -o {PORT + 1}",
        ready=lambda: listens(host, PORT),
        what="rpc.statd",
    ):  # fmt: skip
        yield


def rpcinfo(net: Topology, *arguments: str) -> str:
    """What rpcinfo on a host outside says of the server."""
    with directory() as place:
        return net.server1.run(*script(place, "rpcinfo " + " ".join(arguments)))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_program_inside_answers(net: Topology, transport: str) -> None:
    """The caller asks for the program's address by version 4, and calls it there."""
    assert "ready and waiting" in rpcinfo(net, "-T", transport, str(EXTERNAL), STATUS, "1")


def external_ports(daemon: DaemonUnderLab) -> set[int]:
    """Where the program is expected, or was called."""
    rows = daemon.api("/v1/sessions")["sessions"]
    return {
        int(row["external"].rpartition(":")[2])
        for row in rows
        if row["internal"] == f"{CLIENT2}:{PORT}" and row["remote"].startswith(str(SERVER1))
    }


def test_the_lists_of_all_versions_name_external_ports(net: Topology, daemon: DaemonUnderLab) -> None:
    of_version_2 = {
        int(line.split()[3]) for line in rpcinfo(net, "-p", str(EXTERNAL)).splitlines() if STATUS in line
    }
    of_version_4 = {
        int(high) << 8 | int(low)
        for line in rpcinfo(net, str(EXTERNAL)).splitlines()
        if STATUS in line and "0.0.0.0" in line
        for high, low in [line.split()[3].split(".")[4:]]
    }
    assert of_version_2 == of_version_4
    assert PORT not in of_version_2
    assert of_version_2 <= external_ports(daemon)


def test_a_list_of_addresses_names_the_external_address(net: Topology) -> None:
    listed = rpcinfo(net, "-l", str(EXTERNAL), STATUS, "1")
    assert listed.count(f"{EXTERNAL}.") == 2
    assert str(CLIENT2) not in listed


def test_a_daemon_that_is_killed_between_the_answer_and_the_call(
    net: Topology, daemon: DaemonUnderLab
) -> None:
    """What the server named stays open for the caller; a call that is asked again is answered as before."""
    asking = net.server1.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with asking:
        asking.settimeout(10)
        told = []
        for number in range(2):
            asking.sendto(getport(TCP, number=number, program=int(STATUS)), (str(EXTERNAL), 111))
            told.append(int.from_bytes(asking.recv(100)[-4:]))
            daemon.kill()
            daemon.start()
    with net.server1.call(socket.create_connection, (str(EXTERNAL), told[0]), 10):
        pass
    assert PORT not in told[:1]

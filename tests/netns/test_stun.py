"""A STUN client that knows nothing of nfmasq names the behaviour it was configured to have (RFC 5780).

The server is coturn's, with the two addresses and two ports such discovery needs. There is a client address
for each behaviour, in a network of its own, and they all discover at once: half of it is waiting in vain.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from ipaddress import IPv4Address
from itertools import product

import pytest

from nfmasq.lab.lab import Lab
from nfmasq.lab.programs import sbin_too
from nfmasq.lab.topology import CLIENT2, SERVER1, Topology
from nfmasq.lab.waiting import wait_until

pytestmark = pytest.mark.skipif(
    not shutil.which("turnutils_natdiscovery", path=sbin_too()),
    reason="turnutils_natdiscovery is not installed: apt-get install coturn",
)

BEHAVIOURS = ("endpoint-independent", "address-dependent", "address-and-port-dependent")
CLIENTS = {
    IPv4Address("192.168.1.100") + number: pair for number, pair in enumerate(product(BEHAVIOURS, BEHAVIOURS))
}
"""The mapping and the filtering of each client address."""

LAB = {
    "config": {
        "network": [
            {"cidr": f"{client}/32", "mapping": mapping, "filtering": filtering}
            for client, (mapping, filtering) in CLIENTS.items()
        ]
    }
}
SERVER_ALSO = SERVER1 + 1
PORT, OTHER_PORT = 3478, 3479
SAID = re.compile(r"NAT with ([\w ]+) (Mapping|Filtering)!")


@pytest.fixture(scope="module")
def _stun_server(lab: Lab) -> Iterator[None]:
    server = lab.topology.server1
    server.ip(f"address add {SERVER_ALSO}/24 dev eth0")
    running = server.popen(
        "turnserver", "-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "--no-tcp",
        "--listening-ip", str(SERVER1), "--listening-ip", str(SERVER_ALSO),
        "--listening-port", str(PORT), "--alt-listening-port", str(OTHER_PORT),
        "--log-file", "stdout", "--pidfile", "/dev/null",
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: _listening(lab.topology) == 4, "the STUN server to listen", patience=20)
        yield
    finally:
        running.kill()
        running.wait()


def _listening(net: Topology) -> int:
    """How many endpoints of the server's are bound."""
    bound = net.server1.run("cat", "/proc/net/udp")
    places = {line.split()[1] for line in bound.splitlines()[1:]}
    wanted = product((SERVER1, SERVER_ALSO), (PORT, OTHER_PORT))
    return len(places & {f"{address.packed[::-1].hex().upper()}:{port:04X}" for address, port in wanted})


def _discover(net: Topology, client: IPv4Address, *what: str) -> "subprocess.Popen[str]":
    where = net.client2 if client == CLIENT2 else net.client1
    return where.popen(
        "turnutils_natdiscovery", *what, "-L", str(client), "-p", str(PORT), str(SERVER1),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _named(discovery: "subprocess.Popen[str]") -> dict[str, str]:
    """What the client called the NAT's mapping and filtering, in the words of the configuration."""
    try:
        said, _ = discovery.communicate(timeout=60)
    finally:
        discovery.kill()
    return {kind: words.lower().replace(" ", "-") for words, kind in SAID.findall(said)}


@pytest.fixture(scope="module")
def discovered(lab: Lab, _stun_server: None) -> dict[IPv4Address, dict[str, str]]:
    """What each client found out."""
    lab.topology.client1.ip(*(f"address add {client}/24 dev eth0" for client in CLIENTS))
    running = {client: _discover(lab.topology, client, "-m", "-f") for client in (*CLIENTS, CLIENT2)}
    return {client: _named(discovery) for client, discovery in running.items()}


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: " x ".join(CLIENTS[client]))
def test_a_stun_client_names_what_is_configured(
    client: IPv4Address, discovered: dict[IPv4Address, dict[str, str]]
) -> None:
    mapping, filtering = CLIENTS[client]
    assert discovered[client] == {"Mapping": mapping, "Filtering": filtering}


def test_by_default_it_names_endpoint_independent_mapping_and_address_dependent_filtering(
    discovered: dict[IPv4Address, dict[str, str]],
) -> None:
    assert discovered[CLIENT2] == {"Mapping": "endpoint-independent", "Filtering": "address-dependent"}


def test_where_filtering_lets_it_a_stun_client_finds_that_packets_are_hairpinned(
    lab: Lab, discovered: dict[IPv4Address, dict[str, str]]
) -> None:
    """It sends a request to its own external endpoint, from another port."""
    lax = next(client for client, (_, filtering) in CLIENTS.items() if filtering == "endpoint-independent")
    said, _ = _discover(lab.topology, lax, "-H").communicate(timeout=60)
    assert "successful hairpinning" in said

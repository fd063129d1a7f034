"""Sessions of others in the table before the traffic begins, as many as a busy router has.

The sessions are of other hosts behind the router, each of which sends datagrams from many ports to many
servers. One external address has ports for some thirty thousand mappings, so these sessions share a third of
them, and leave the others to the traffic that is measured.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address

from nfmasq._fastpath import Table
from nfmasq.lab.packets import udp

FIRST_HOST = IPv4Address("192.168.1.100")
FIRST_SERVER = IPv4Address("203.0.113.1")
HOSTS = 100
MAPPINGS = 10_000
SESSIONS = 1_000_000

_FIRST_PORT = 5000
_PORT = 3478
_CHUNK = 10_000


def fill(table: Table, sessions: int) -> None:
    """Begin so many sessions. Raises RuntimeError when the table refuses one."""
    pending: list[bytes] = []
    for packet in _packets(sessions):
        pending.append(packet)
        if len(pending) == _CHUNK:
            table.pace(pending)
            pending.clear()
    if pending:
        table.pace(pending)


def _packets(sessions: int) -> Iterator[bytes]:
    """A datagram of each session, one after the other by servers, so that a host's lie far apart."""
    ports_a_host = MAPPINGS // HOSTS
    for number in range(sessions):
        server, mapping = divmod(number, MAPPINGS)
        host, port = divmod(mapping, ports_a_host)
        yield udp((FIRST_HOST + host, _FIRST_PORT + port), (FIRST_SERVER + server, _PORT), b"ping")

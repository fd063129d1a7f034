"""The table at work, for its instructions to be counted: `python -m perf.counted`, under callgrind.

The program makes a table and takes workloads through it, in batches as a worker has them. After each workload
it calls MARK, at which callgrind ends one part of its counts. It prints the name of each part and its number
of packets, in order; a part that only sets something up has no name. Callgrind runs fifty times slower than
the processor, through all that the program imports: so it imports little.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from nfmasq._fastpath import Table
from nfmasq.core.policy import HelperPort, Policy, Uplink
from nfmasq.lab import packets
from nfmasq.lab.packets import ACK, PSH, SYN, Endpoint

INTERNAL = IPv4Network("192.168.1.0/24")
CLIENT = IPv4Address("192.168.1.2")
EXTERNAL = IPv4Address("198.51.100.1")
SERVER = IPv4Address("198.51.100.9")

FLOWS = 64
ROUNDS = 16
NEW = 2048
SMALL = 64
FULL = 1448
BULK = 65000
"""Bytes of payload: of a small packet, of a full segment, of a super-packet."""

CAPACITY = 8192

MARK = "getppid"
"""The C library's function that `os.getppid` calls, and nothing else here."""

HELPED = tuple(HelperPort(1, protocol, port) for protocol in (6, 17) for port in range(5000, 5060))
"""More ports than all helpers together have: they cost other sessions nothing."""

_FIRST_PORT = 20000
_DOMAIN, _WEB = (SERVER, 53), (SERVER, 80)
_TCP, _UDP = 6, 17


class Counted:
    """A table, and what it has been put through; `_mark` alone appends."""

    def __init__(self) -> None:
        self.parts: list[tuple[str | None, int]] = []
        self._table = Table(None, CAPACITY)
        self._table.configure(Policy((Uplink.pool(EXTERNAL),), (INTERNAL,), helper_ports=HELPED))

    def call(
        self, name: str | None, packets: Sequence[bytes], *, inbound: bool = False, bulk: bool = False
    ) -> None:
        """Take packets through the table; bulk: super-packets whose checksums are to be computed.

        Raises RuntimeError when it refuses one.
        """
        self._table.pace(packets, inbound=inbound, checksum_ready=not bulk, gso=bulk)
        os.getppid()
        self.parts.append((name, len(packets)))

    def external(self, protocol: int) -> dict[int, Endpoint]:
        """The external endpoint of every internal port."""
        rows = self._table.mappings(limit=CAPACITY, protocol=protocol)
        return {row.internal[1]: row.external for row in rows}


_segment = partial(packets.tcp, window=0xFFFF)
"""With the widest window, into which alone a super-packet fits."""


def _flows(first: int = _FIRST_PORT, count: int = FLOWS) -> Iterator[Endpoint]:
    return ((CLIENT, port) for port in range(first, first + count))


def _rounds(packets: Iterable[bytes]) -> list[bytes]:
    return list(packets) * ROUNDS


def udp(counted: Counted) -> None:
    """Sessions that begin, and small packets of established ones, both ways."""
    counted.call(None, [packets.udp(flow, _DOMAIN, bytes(SMALL)) for flow in _flows()])
    outside = counted.external(_UDP)
    out = [packets.udp(flow, _DOMAIN, bytes(SMALL)) for flow in _flows()]
    back = [packets.udp(_DOMAIN, outside[flow[1]], bytes(SMALL)) for flow in _flows()]
    counted.call(None, back, inbound=True)
    counted.call("udp-out", _rounds(out))
    counted.call("udp-in", _rounds(back), inbound=True)
    counted.call("udp-new", [packets.udp(flow, _DOMAIN, bytes(SMALL)) for flow in _flows(30000, NEW)])


def tcp(counted: Counted) -> None:
    """Connections that begin, full segments and bare acknowledgments both ways, and bulk."""
    flows = list(_flows())
    counted.call(None, [_segment(flow, _WEB, SYN) for flow in flows])
    outside = counted.external(_TCP)
    back = [_segment(_WEB, outside[flow[1]], SYN | ACK, 0, 1) for flow in flows]
    counted.call(None, back, inbound=True)
    counted.call(None, [_segment(flow, _WEB, ACK, 1, 1) for flow in flows])

    full = bytes(FULL)
    said = range(1, 1 + ROUNDS * FULL, FULL)
    heard = said.stop
    data = [_segment(flow, _WEB, ACK | PSH, at, 1, payload=full) for at in said for flow in flows]
    counted.call("tcp-data-out", data)
    acks = [_segment(_WEB, outside[flow[1]], ACK, 1, at + FULL) for at in said for flow in flows]
    counted.call("tcp-ack-in", acks, inbound=True)
    data = [
        _segment(_WEB, outside[flow[1]], ACK | PSH, at, heard, payload=full) for at in said for flow in flows
    ]
    counted.call("tcp-data-in", data, inbound=True)
    acks = [_segment(flow, _WEB, ACK, heard, at + FULL) for at in said for flow in flows]
    counted.call("tcp-ack-out", acks)

    bulk = _segment(_WEB, outside[flows[0][1]], ACK | PSH, heard, heard, payload=bytes(BULK), finished=False)
    counted.call("tcp-bulk-in", [bulk], inbound=True, bulk=True)
    counted.call("tcp-new", [_segment(flow, _WEB, SYN) for flow in _flows(40000, NEW)])


def main() -> None:
    """Take every workload through one table."""
    counted = Counted()
    udp(counted)
    tcp(counted)
    print(json.dumps(counted.parts), flush=True)


if __name__ == "__main__":
    main()

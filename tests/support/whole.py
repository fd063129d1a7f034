"""What is always true of a table, whatever happened to it."""

from collections import Counter
from ipaddress import IPv4Address

from nfmasq._fastpath import Table
from support.packets import ICMP, TCP, UDP

CLASSES = {TCP: 0, UDP: 1, ICMP: 2}
ALL = 1 << 17


def transport(protocol: int) -> int:
    """The number of a protocol's class."""
    return CLASSES.get(protocol, 3)


def counted(protocols: list[int]) -> tuple[int, ...]:
    """How many of each class."""
    counts = Counter(map(transport, protocols))
    return tuple(counts[number] for number in range(4))


def assert_whole(table: Table) -> None:
    """Sessions, mappings, hosts, ports and gauges all tell the same, and no two share an endpoint."""
    sessions, mappings = table.sessions(limit=ALL), table.mappings(limit=ALL)
    assert len({(row.protocol, row.internal, row.remote) for row in sessions}) == len(sessions)
    assert len({(row.protocol, row.external, row.remote) for row in sessions}) == len(sessions)
    borrowing = table.gauges().borrowing
    if not borrowing:
        assert len({(row.protocol, row.internal) for row in mappings}) == len(mappings), "a bijection"
    with_ports = [row for row in mappings if transport(row.protocol) != 3]
    assert len({(row.protocol, row.external) for row in with_ports}) == len(with_ports) - borrowing

    spoken = Counter((row.protocol, row.internal, row.external) for row in sessions)
    of_mappings: Counter[object] = Counter()
    for row in mappings:
        of_mappings[row.protocol, row.internal, row.external] += row.sessions
    assert spoken == of_mappings
    hosts: dict[IPv4Address, tuple[int, int]] = {}
    for row in mappings:
        sums = hosts.get(row.internal[0], (0, 0))
        hosts[row.internal[0]] = (sums[0] + row.sessions, sums[1] + 1)
    assert table.hosts() == hosts

    gauges = table.gauges()
    assert gauges.sessions == counted([row.protocol for row in sessions])
    assert gauges.mappings == counted([row.protocol for row in mappings])
    if gauges.ports_capacity[0]:
        assert sum(gauges.ports_in_use) == sum(gauges.mappings[:3]) - borrowing
        assert borrowing or gauges.ports_in_use == (*gauges.mappings[:3], 0)

# The edge: where Python's values become the core's words, and the core's records become rows.
#
# A part of _fastpath.pyx, called with the GIL and never per packet.

from ipaddress import IPv4Address

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from nfmasq.reasons import SENTENCES
from nfmasq.rows import Counters, Gauges, SessionRow

from nfmasq._hot.dump cimport Filter
from nfmasq._hot.packet cimport CLASS_TCP, DIRECTION_COUNT, TRANSPORT_COUNT
from nfmasq._hot.reasons cimport REASON_COUNT
from nfmasq._hot.rules cimport MOST_EXTERNAL, MOST_NETWORKS, Rules
from nfmasq._hot.table cimport Host, Mapping, NatTable, Session
from nfmasq._hot.tcpstate cimport TCP_STATE_COUNT
from nfmasq._hot.wire cimport htonl, htons, ntohl, ntohs

REASONS = tuple(SENTENCES)
TCP_STATES = ("-", "syn-out", "syn-in", "established", "fin-out", "fin-in", "closing", "reset")

if len(REASONS) != REASON_COUNT - 1 or len(TCP_STATES) != TCP_STATE_COUNT:
    raise ImportError("nfmasq.reasons and the compiled core are of different versions: build nfmasq again")

cdef uint32_t word_of(object address) except? 0:
    return htonl(<uint32_t>int(address))

cdef object endpoint(uint32_t address, uint16_t port):
    return (IPv4Address(ntohl(address)), ntohs(port))

cdef object session_row(uint32_t number, const Session* session, uint32_t now):
    return SessionRow(
        number, session.protocol, endpoint(session.internal_address, session.internal_port),
        endpoint(session.external_address, session.external_port),
        endpoint(session.remote_address, session.remote_port),
        TCP_STATES[session.state], session.packets_out, session.packets_in,
        session.bytes_out, session.bytes_in,
        now - session.created, max(0, <int>(session.expires - now)),
    )

cdef Filter read_filter(object host, object port, object protocol) except *:
    cdef Filter wanted
    wanted.host = 0 if host is None else word_of(host)
    if host is not None and wanted.host == 0:
        wanted.host = 0xFFFFFFFF         # 0.0.0.0 is nobody's address, as this is; to the core 0 means any
    wanted.port = htons(port)
    wanted.protocol = protocol
    return wanted

cdef int read_policy(Rules* rules, object policy) except -1:
    """Turn a nfmasq.policy.Policy into words and bits."""
    memset(rules, 0, sizeof(Rules))
    if len(policy.external) > MOST_EXTERNAL:
        raise ValueError(f"nat.addresses: {len(policy.external)} addresses, {MOST_EXTERNAL} at most")
    if len(policy.internal) > MOST_NETWORKS:
        raise ValueError(f"{len(policy.internal)} internal networks, {MOST_NETWORKS} at most")
    rules.external_count = len(policy.external)
    for i, address in enumerate(policy.external):
        rules.external[i] = word_of(address)
    rules.network_count = len(policy.internal)
    for i, network in enumerate(policy.internal):
        rules.networks[i].address = word_of(network.network_address)
        rules.networks[i].mask = word_of(network.netmask)
    rules.first_port, rules.last_port = policy.ports
    everywhere = policy.behaviours[len(policy.behaviours) - 1]
    for transport in range(TRANSPORT_COUNT):
        behaviour = everywhere.tcp if transport == CLASS_TCP else everywhere.udp
        rules.filtering[transport] = behaviour.filtering
    timeouts = policy.timeouts
    rules.timeout = [timeouts.tcp_established, timeouts.udp, timeouts.icmp, timeouts.other]
    rules.tcp_transitory = timeouts.tcp_transitory
    rules.sessions = policy.sessions
    rules.sessions_per_host = policy.sessions_per_host
    rules.ports_per_host = policy.ports_per_host
    for transport, ports in enumerate((policy.reserved_tcp, policy.reserved_udp)):
        for port in ports:
            rules.reserved[transport][<int>port >> 3] |= <uint8_t>(1 << (<int>port & 7))
    return 0

cdef tuple by_transport(const uint64_t* totals):
    return tuple([totals[i] for i in range(TRANSPORT_COUNT)])

cdef object counters_of(const NatTable* table):
    return Counters(
        packets=tuple([by_transport(table.counters.packets[d]) for d in range(DIRECTION_COUNT)]),
        bytes=tuple([by_transport(table.counters.bytes[d]) for d in range(DIRECTION_COUNT)]),
        dropped=tuple([table.counters.dropped[i] for i in range(1, REASON_COUNT)]),
        created=by_transport(table.counters.created),
        expired=by_transport(table.counters.expired),
        passed=table.counters.passed,
        allocation_failures=by_transport(table.counters.allocation_failures),
    )

cdef uint32_t ports_in_use(const NatTable* table, int transport) noexcept:
    cdef uint32_t total = 0
    for external in range(table.rules.external_count):
        total += table.pools[3 * external + transport].in_use
    return total

cdef object gauges_of(const NatTable* table):
    """TCP, UDP and ICMP have ports; portless protocols have none."""
    capacity = table.rules.external_count * (table.rules.last_port - table.rules.first_port + 1)
    return Gauges(
        sessions=tuple([table.session_count[i] for i in range(TRANSPORT_COUNT)]),
        mappings=tuple([table.mapping_count[i] for i in range(TRANSPORT_COUNT)]),
        ports_in_use=(ports_in_use(table, 0), ports_in_use(table, 1), ports_in_use(table, 2), 0),
        ports_capacity=(capacity, capacity, capacity, 0),
        memory=table.top[0] * sizeof(Session) + table.mapping_top * sizeof(Mapping)
        + table.host_top * sizeof(Host) + (table.mask + 1) * 24,
    )

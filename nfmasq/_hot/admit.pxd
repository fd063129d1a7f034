# Admit: a session for a packet that belongs to none, or the reason why not.
#
# From inside: the internal endpoint's mapping, made if need be (endpoint-independent, RFC 4787 REQ-1), and a
# session with the remote endpoint. From outside: only through a mapping that stands, if its filtering lets
# this remote endpoint in (RFC 4787 REQ-8). Nothing that lives is ended to make room (RFC 6888 REQ-11).

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.packet cimport (
    CLASS_ICMP, CLASS_OTHER, CLASS_TCP, ICMP_REPLY, OUTBOUND, Packet, drop, let_pass,
)
from nfmasq._hot.ports cimport PortPool, allocate_port, has_free
from nfmasq._hot.reasons cimport (
    FILTERED, HOST_PORTS_FULL, HOST_SESSIONS_FULL, ICMP_NO_SESSION, NO_MAPPING, PORTLESS_REMOTE_TAKEN,
    PORTS_EXHAUSTED, SESSIONS_FULL, TCP_NO_SESSION,
)
from nfmasq._hot.rules cimport ADDRESS_DEPENDENT, ENDPOINT_INDEPENDENT, Rules
from nfmasq._hot.screen cimport screen
from nfmasq._hot.sessions cimport (
    begin_host, begin_mapping, begin_session, find_by_external, find_host, find_mapping_by_external,
    find_mapping_by_internal, has_peer,
)
from nfmasq._hot.table cimport NO_POOL, Host, NatTable, endpoint_bucket, pool_of, random_word
from nfmasq._hot.wire cimport ACK, SYN, htons, ntohs

cdef inline uint32_t first_timer(const Rules* rules, uint8_t transport) noexcept nogil:
    """Seconds a session has until its second packet."""
    return rules.tcp_transitory if transport == CLASS_TCP else rules.timeout[transport]

cdef inline bint may_begin(Packet* packet) noexcept nogil:
    """Is this the first packet of anything? TCP begins with a SYN, a query with a request."""
    if packet.transport == CLASS_TCP and packet.tcp_flags & (SYN | ACK) != SYN:
        return drop(packet, TCP_NO_SESSION)
    if packet.kind == ICMP_REPLY:
        return drop(packet, ICMP_NO_SESSION)
    return True

cdef inline uint32_t live_sessions(const NatTable* table) noexcept nogil:
    return (
        table.session_count[0] + table.session_count[1] + table.session_count[2] + table.session_count[3]
    )

cdef inline bint within_limits(const NatTable* table, Packet* packet, uint32_t host) noexcept nogil:
    cdef const Rules* rules = &table.rules
    if live_sessions(table) >= min(rules.sessions, table.capacity):
        return drop(packet, SESSIONS_FULL)
    if host and rules.sessions_per_host and table.hosts[host].sessions >= rules.sessions_per_host:
        return drop(packet, HOST_SESSIONS_FULL)
    return True

cdef inline uint16_t paired_external(NatTable* table, Packet* packet, uint32_t host) noexcept nogil:
    """Which of the pool's addresses an internal host appears as: the one it has (RFC 4787 REQ-2).

    A host that has none yet gets one by its hash, or the next that still has a free port.
    """
    cdef uint32_t count = table.rules.external_count
    cdef uint32_t first = endpoint_bucket(table, 0, packet.near_address, 0)
    cdef uint32_t i
    if host:
        for i in range(count):
            if table.rules.external[i] == table.hosts[host].external_address:
                return <uint16_t>i
    elif packet.transport != CLASS_OTHER:
        for i in range(count):
            if has_free(pool_of(table, <uint16_t>((first + i) % count), packet.transport)):
                return <uint16_t>((first + i) % count)
    return <uint16_t>(first % count)

cdef inline uint32_t admit_mapping(
    NatTable* table, Packet* packet, uint32_t host, uint32_t now
) noexcept nogil:
    """A new mapping for the packet's internal endpoint, or 0 and the packet is dropped."""
    cdef uint16_t pool_index = paired_external(table, packet, host)
    cdef uint32_t external = table.rules.external[pool_index]
    cdef uint16_t port = 0
    cdef PortPool* pool
    if host and table.rules.ports_per_host and table.hosts[host].mappings >= table.rules.ports_per_host:
        return drop(packet, HOST_PORTS_FULL)
    if packet.transport == CLASS_OTHER:
        pool_index = NO_POOL
    else:
        pool = pool_of(table, pool_index, packet.transport)
        port = allocate_port(
            pool, &table.rules, packet.transport, ntohs(packet.near_port) & 1, random_word(table), now
        )
        if port == 0:
            table.counters.allocation_failures[packet.transport] += 1
            return drop(packet, PORTS_EXHAUSTED)
    if not host:
        host = begin_host(table, packet.near_address)
        table.hosts[host].external_address = external
    return begin_mapping(
        table, host, packet.protocol, packet.transport,
        packet.near_address, packet.near_port, external, htons(port), pool_index, now,
    )

cdef inline bint admit_outbound(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    cdef uint32_t host = find_host(table, packet.near_address)
    cdef uint32_t mapping = 0
    cdef uint32_t external
    if not may_begin(packet) or not within_limits(table, packet, host):
        return False
    if host:
        mapping = find_mapping_by_internal(table, packet.protocol, packet.near_address, packet.near_port)
    if packet.transport == CLASS_OTHER:
        # Without ports the remote address alone tells internal hosts apart: one of them to each.
        external = table.rules.external[paired_external(table, packet, host)]
        if find_by_external(table, packet.protocol, external, 0, packet.remote_address, 0):
            return drop(packet, PORTLESS_REMOTE_TAKEN)
    if not mapping:
        mapping = admit_mapping(table, packet, host, now)
        if not mapping:
            return False
    packet.session = begin_session(
        table, mapping, packet.remote_address, packet.remote_port,
        now, now + first_timer(&table.rules, packet.transport),
    )
    return True

cdef inline bint passes_filter(const NatTable* table, Packet* packet, uint32_t mapping) noexcept nogil:
    cdef uint8_t filtering = table.rules.filtering[packet.transport]
    return filtering == ENDPOINT_INDEPENDENT or (
        filtering == ADDRESS_DEPENDENT and has_peer(table, mapping, packet.remote_address)
    )

cdef inline bint admit_inbound(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    cdef uint32_t mapping
    if packet.transport == CLASS_ICMP or packet.transport == CLASS_OTHER:
        return let_pass(packet)     # an answer to the router's own ping, a tunnel of its own
    mapping = find_mapping_by_external(table, packet.protocol, packet.near_address, packet.near_port)
    if not mapping:
        return drop(packet, NO_MAPPING)
    if not passes_filter(table, packet, mapping):
        return drop(packet, FILTERED)
    if not may_begin(packet) or not within_limits(table, packet, table.mappings[mapping].host):
        return False
    packet.session = begin_session(
        table, mapping, packet.remote_address, packet.remote_port,
        now, now + first_timer(&table.rules, packet.transport),
    )
    return True

cdef inline bint admit(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Begin the packet's session. False: its way has ended."""
    if not screen(&table.rules, packet):
        return False
    if packet.direction == OUTBOUND:
        return admit_outbound(table, packet, now)
    return admit_inbound(table, packet, now)

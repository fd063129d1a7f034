# Lists: what the control path reads of the table, and ends in it. A part of _fastpath.pyx.
#
# No list holds the table's lock for long (dump), nor does an end of many sessions (steps).

from ipaddress import IPv4Address

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from nfmasq.core.rows import Fill

from nfmasq._hot.base.clock cimport clock_seconds
from nfmasq._hot.base.locks cimport pthread_mutex_lock, pthread_mutex_unlock
from nfmasq._hot.calls.dump cimport Filter, copy_sessions, find_greediest, flush_some, next_mapping
from nfmasq._hot.calls.steps cimport STEP, let_workers_in
from nfmasq._hot.state.critical cimport enter, leave
from nfmasq._hot.state.packet cimport CLASS_UDP
from nfmasq._hot.state.ports cimport PortPool
from nfmasq._hot.state.rules cimport BITMAP_BYTES, Rules
from nfmasq._hot.state.sessions cimport advance_wheel
from nfmasq._hot.state.table cimport Host, Mapping, NatTable, Session, pool_of
from nfmasq._hot.wire.wire cimport htons, ntohl

cdef enum:
    NO_HOST = 0xFFFFFFFF     # an address that no host has

cdef uint32_t host_word(object host) except? 0:
    """A host's address in the core, where 0 stands for any. No host has 0.0.0.0 either."""
    return 0 if host is None else word_of(host) or NO_HOST

cdef Filter read_filter(object host, object port, object protocol) except *:
    cdef Filter wanted
    wanted.host = host_word(host)
    wanted.port = htons(port)
    wanted.protocol = protocol
    return wanted

cdef list sessions_of(NatTable* table, uint32_t after, uint32_t limit, const Filter* wanted):
    cdef uint32_t at = after
    cdef uint32_t found = 0
    cdef uint32_t now = clock_seconds()
    cdef Session* copies = <Session*>malloc(max(limit, <uint32_t>1) * sizeof(Session))
    cdef uint32_t* numbers = <uint32_t*>malloc(max(limit, <uint32_t>1) * sizeof(uint32_t))
    try:
        if copies == NULL or numbers == NULL:
            raise MemoryError
        with nogil:
            found = copy_sessions(table, &at, limit, wanted, copies, numbers)
        return [session_row(numbers[i], &copies[i], now) for i in range(found)]
    finally:
        free(copies)
        free(numbers)

cdef list mappings_of(NatTable* table, uint32_t after, uint32_t limit, const Filter* wanted):
    cdef Mapping mapping
    cdef uint32_t number = after
    cdef uint32_t now = clock_seconds()
    memset(&mapping, 0, sizeof(Mapping))
    rows = []
    while <uint32_t>len(rows) < limit:
        with nogil:
            number = next_mapping(table, number, wanted, &mapping)
        if not number:
            break
        rows.append(mapping_row(number, &mapping, now))
    return rows

cdef dict hosts_of(NatTable* table):
    cdef uint32_t number
    cdef Host host
    found = {}
    for number in range(1, table.host_top + 1):
        with nogil:
            pthread_mutex_lock(&table.lock)
            host = table.hosts[number]
            pthread_mutex_unlock(&table.lock)
        if host.mappings:
            found[IPv4Address(ntohl(host.address))] = (host.sessions, host.mappings)
    return found

cdef int ports_handed_out(const Rules* rules, int transport):
    """How many ports there are without those of local sockets and forwards."""
    ports = int.from_bytes(rules.ports[transport][:BITMAP_BYTES], "little")
    if transport <= CLASS_UDP:
        ports &= ~int.from_bytes(rules.reserved[transport][:BITMAP_BYTES], "little")
    return ports.bit_count()

cdef list fill_of(NatTable* table):
    """See Table.fill."""
    cdef uint32_t external
    cdef const PortPool* pool
    rows = [Fill(None, -1, sum(table.session_count), min(table.rules.limits.sessions, table.capacity))]
    for external in range(table.rules.pooled_count):
        address = IPv4Address(ntohl(table.rules.external[external]))
        for transport in range(3):
            pool = pool_of(table, table.pool_at[external], <uint8_t>transport)
            if pool.filled:
                used = pool.in_use
                rows.append(Fill(address, transport, used, ports_handed_out(&table.rules, transport)))
    return rows

cdef object greediest_of(NatTable* table, object fill, object known):
    """See Table.greediest."""
    cdef uint32_t external = 0 if fill.address is None else word_of(fill.address)
    cdef uint32_t before = 0 if known is None else word_of(known)
    cdef uint8_t transport = max(0, fill.transport)
    cdef uint32_t found
    with nogil:
        found = find_greediest(table, external, transport, before)
    return IPv4Address(ntohl(found)) if found else None

cdef uint32_t flush_sessions(NatTable* table, uint32_t host) noexcept:
    """End the sessions of one host, or with 0 of all; return how many."""
    cdef uint32_t ended = 0
    cdef uint32_t at = 0
    cdef uint32_t now = clock_seconds()
    with nogil:
        enter(table)
        while at < table.top[0]:
            ended += flush_some(table, &at, host, now)
            let_workers_in(table)
        leave(table)
    return ended

cdef uint32_t expire_sessions(NatTable* table, uint32_t now) noexcept:
    """End the sessions due up to `now`; return how many."""
    cdef uint32_t ended
    with nogil:
        enter(table)
        ended = advance_wheel(table, now, STEP)
        while <int>(now - table.wheel_now) > 0:
            let_workers_in(table)
            ended += advance_wheel(table, now, STEP)
        leave(table)
    return ended

# Sessions begin and end: the only code that links records into the table's indexes and takes them out.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from nfmasq._hot.packet cimport CLASS_OTHER
from nfmasq._hot.ports cimport release_port
from nfmasq._hot.table cimport (
    NO_POOL, WHEEL, Host, Mapping, NatTable, Session,
    endpoint_bucket, peer_bucket, pool_of, tuple_bucket,
)
from nfmasq._hot.timers cimport wheel_insert, wheel_remove
from nfmasq._hot.wire cimport ntohs

cdef extern from *:
    """
    /* Between writing a record and saying that it counts: no store may move across. */
    #define nfmasq_store_barrier() __atomic_thread_fence(__ATOMIC_RELEASE)
    """
    void store_barrier "nfmasq_store_barrier" () noexcept nogil

# Finding ------------------------------------------------------------------------------------------------

cdef inline uint32_t find_by_internal(
    const NatTable* table, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    cdef uint32_t number = table.by_internal[
        tuple_bucket(table, protocol, address, port, remote_address, remote_port)
    ]
    cdef const Session* session
    while number:
        session = &table.sessions[number]
        if (
            session.internal_address == address and session.remote_address == remote_address
            and session.internal_port == port and session.remote_port == remote_port
            and session.protocol == protocol
        ):
            return number
        number = session.by_internal_next
    return 0

cdef inline uint32_t find_by_external(
    const NatTable* table, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    cdef uint32_t number = table.by_external[
        tuple_bucket(table, protocol, address, port, remote_address, remote_port)
    ]
    cdef const Session* session
    while number:
        session = &table.sessions[number]
        if (
            session.external_address == address and session.remote_address == remote_address
            and session.external_port == port and session.remote_port == remote_port
            and session.protocol == protocol
        ):
            return number
        number = session.by_external_next
    return 0

cdef inline bint has_peer(const NatTable* table, uint32_t mapping, uint32_t remote_address) noexcept nogil:
    """Has this mapping a session with any port of the remote address?"""
    cdef uint32_t number = table.by_peer[peer_bucket(table, mapping, remote_address)]
    cdef const Session* session
    while number:
        session = &table.sessions[number]
        if session.mapping == mapping and session.remote_address == remote_address:
            return True
        number = session.by_peer_next
    return False

cdef inline uint32_t find_mapping_by_internal(
    const NatTable* table, uint8_t protocol, uint32_t address, uint16_t port
) noexcept nogil:
    cdef uint32_t number = table.mapping_by_internal[endpoint_bucket(table, protocol, address, port)]
    cdef const Mapping* mapping
    while number:
        mapping = &table.mappings[number]
        if (
            mapping.internal_address == address and mapping.internal_port == port
            and mapping.protocol == protocol
        ):
            return number
        number = mapping.by_internal_next
    return 0

cdef inline uint32_t find_mapping_by_external(
    const NatTable* table, uint8_t protocol, uint32_t address, uint16_t port
) noexcept nogil:
    cdef uint32_t number = table.mapping_by_external[endpoint_bucket(table, protocol, address, port)]
    cdef const Mapping* mapping
    while number:
        mapping = &table.mappings[number]
        if (
            mapping.external_address == address and mapping.external_port == port
            and mapping.protocol == protocol
        ):
            return number
        number = mapping.by_external_next
    return 0

cdef inline uint32_t find_host(const NatTable* table, uint32_t address) noexcept nogil:
    cdef uint32_t number = table.host_by_address[endpoint_bucket(table, 0, address, 0)]
    while number and table.hosts[number].address != address:
        number = table.hosts[number].next
    return number

# Beginning ----------------------------------------------------------------------------------------------

cdef inline uint32_t begin_host(NatTable* table, uint32_t address) noexcept nogil:
    """A host with nothing yet. There is a record for every session, so for every host."""
    cdef uint32_t number = table.host_free
    cdef uint32_t* head = &table.host_by_address[endpoint_bucket(table, 0, address, 0)]
    cdef Host* host
    if number:
        table.host_free = table.hosts[number].next
    else:
        table.host_top += 1
        number = table.host_top
    host = &table.hosts[number]
    memset(host, 0, sizeof(Host))
    host.address = address
    host.next = head[0]
    head[0] = number
    return number

cdef inline uint32_t begin_mapping(
    NatTable* table, uint32_t host, uint8_t protocol, uint8_t transport,
    uint32_t internal_address, uint16_t internal_port,
    uint32_t external_address, uint16_t external_port, uint16_t pool, uint32_t now,
) noexcept nogil:
    """A mapping without sessions; the caller begins its first at once. `pool` accounts for its port."""
    cdef uint32_t number = table.mapping_free
    cdef Mapping* mapping
    cdef uint32_t* head
    if number:
        table.mapping_free = table.mappings[number].by_internal_next
    else:
        table.mapping_top += 1
        number = table.mapping_top
    mapping = &table.mappings[number]
    memset(mapping, 0, sizeof(Mapping))
    mapping.internal_address = internal_address
    mapping.internal_port = internal_port
    mapping.external_address = external_address
    mapping.external_port = external_port
    mapping.protocol = protocol
    mapping.transport = transport
    mapping.pool = pool
    mapping.created = now
    mapping.host = host
    head = &table.mapping_by_internal[endpoint_bucket(table, protocol, internal_address, internal_port)]
    mapping.by_internal_next = head[0]
    head[0] = number
    if transport != CLASS_OTHER:    # a portless one is told apart by its sessions' remote addresses
        head = &table.mapping_by_external[endpoint_bucket(table, protocol, external_address, external_port)]
        mapping.by_external_next = head[0]
        head[0] = number
    table.hosts[host].mappings += 1
    table.mapping_count[transport] += 1
    return number

cdef inline uint32_t take_session_record(NatTable* table) noexcept nogil:
    """The number of a free session record, or 0 when the arena is full."""
    cdef uint32_t number = table.session_free
    if number:
        table.session_free = table.sessions[number].by_internal_next
    elif table.top[0] < table.capacity:
        table.top[0] += 1
        number = table.top[0]
    return number

cdef inline void link_session(NatTable* table, uint32_t number, uint32_t mapping) noexcept nogil:
    """Put a session whose endpoints, times and counters are set into every index and on the wheel."""
    cdef Session* session = &table.sessions[number]
    cdef uint32_t* head = &table.by_internal[tuple_bucket(
        table, session.protocol, session.internal_address, session.internal_port,
        session.remote_address, session.remote_port,
    )]
    session.by_internal_next = head[0]
    head[0] = number
    head = &table.by_external[tuple_bucket(
        table, session.protocol, session.external_address, session.external_port,
        session.remote_address, session.remote_port,
    )]
    session.by_external_next = head[0]
    head[0] = number
    session.mapping = mapping
    head = &table.by_peer[peer_bucket(table, mapping, session.remote_address)]
    session.by_peer_previous = 0
    session.by_peer_next = head[0]
    if head[0]:
        table.sessions[head[0]].by_peer_previous = number
    head[0] = number
    wheel_insert(table, number)
    table.mappings[mapping].sessions += 1
    table.hosts[table.mappings[mapping].host].sessions += 1
    table.session_count[session.transport] += 1

cdef inline uint32_t begin_session(
    NatTable* table, uint32_t mapping_number, uint32_t remote_address, uint16_t remote_port,
    uint32_t now, uint32_t expires,
) noexcept nogil:
    """A session of this mapping with this remote endpoint; 0 when the arena is full."""
    cdef Mapping* mapping = &table.mappings[mapping_number]
    cdef uint32_t number = take_session_record(table)
    cdef Session* session
    if not number:
        return 0
    session = &table.sessions[number]
    memset(session, 0, sizeof(Session))
    session.protocol = mapping.protocol
    session.transport = mapping.transport
    session.internal_address = mapping.internal_address
    session.internal_port = mapping.internal_port
    session.external_address = mapping.external_address
    session.external_port = mapping.external_port
    session.remote_address = remote_address
    session.remote_port = remote_port
    session.created = now
    session.expires = expires
    link_session(table, number, mapping_number)
    table.counters.created[session.transport] += 1
    store_barrier()
    session.live = 1
    return number

# Ending -------------------------------------------------------------------------------------------------

cdef inline void unlink_host(NatTable* table, uint32_t number) noexcept nogil:
    cdef uint32_t* link = &table.host_by_address[
        endpoint_bucket(table, 0, table.hosts[number].address, 0)
    ]
    while link[0] != number:
        link = &table.hosts[link[0]].next
    link[0] = table.hosts[number].next
    table.hosts[number].next = table.host_free
    table.host_free = number

cdef inline void end_mapping(NatTable* table, uint32_t number, uint32_t now) noexcept nogil:
    """End a mapping without sessions: its port goes back, its host goes with its last mapping."""
    cdef Mapping* mapping = &table.mappings[number]
    cdef uint32_t* link = &table.mapping_by_internal[
        endpoint_bucket(table, mapping.protocol, mapping.internal_address, mapping.internal_port)
    ]
    while link[0] != number:
        link = &table.mappings[link[0]].by_internal_next
    link[0] = mapping.by_internal_next
    if mapping.transport != CLASS_OTHER:
        link = &table.mapping_by_external[
            endpoint_bucket(table, mapping.protocol, mapping.external_address, mapping.external_port)
        ]
        while link[0] != number:
            link = &table.mappings[link[0]].by_external_next
        link[0] = mapping.by_external_next
    if mapping.pool != NO_POOL:
        release_port(
            pool_of(table, mapping.pool, mapping.transport),
            mapping.transport, ntohs(mapping.external_port), now,
        )
    table.mapping_count[mapping.transport] -= 1
    table.hosts[mapping.host].mappings -= 1
    if table.hosts[mapping.host].mappings == 0:
        unlink_host(table, mapping.host)
    mapping.by_internal_next = table.mapping_free
    table.mapping_free = number

cdef inline void end_session(NatTable* table, uint32_t number, uint32_t now) noexcept nogil:
    """Take a session out of the table, and its mapping when it was the last."""
    cdef Session* session = &table.sessions[number]
    cdef uint32_t mapping = session.mapping
    cdef uint32_t* link
    session.live = 0
    store_barrier()
    link = &table.by_internal[tuple_bucket(
        table, session.protocol, session.internal_address, session.internal_port,
        session.remote_address, session.remote_port,
    )]
    while link[0] != number:
        link = &table.sessions[link[0]].by_internal_next
    link[0] = session.by_internal_next
    link = &table.by_external[tuple_bucket(
        table, session.protocol, session.external_address, session.external_port,
        session.remote_address, session.remote_port,
    )]
    while link[0] != number:
        link = &table.sessions[link[0]].by_external_next
    link[0] = session.by_external_next
    if session.by_peer_previous:
        table.sessions[session.by_peer_previous].by_peer_next = session.by_peer_next
    else:
        table.by_peer[peer_bucket(table, mapping, session.remote_address)] = session.by_peer_next
    if session.by_peer_next:
        table.sessions[session.by_peer_next].by_peer_previous = session.by_peer_previous
    wheel_remove(table, number)
    table.session_count[session.transport] -= 1
    table.hosts[table.mappings[mapping].host].sessions -= 1
    table.mappings[mapping].sessions -= 1
    session.by_internal_next = table.session_free
    table.session_free = number
    if table.mappings[mapping].sessions == 0:
        end_mapping(table, mapping, now)

cdef inline uint32_t turn_wheel(NatTable* table, uint32_t now, uint32_t most) noexcept nogil:
    """End the sessions due up to `now`, looking at no more than `most`; return how many ended."""
    cdef uint32_t ended = 0
    cdef uint32_t number
    cdef Session* session
    while <int>(now - table.wheel_now) > 0:
        number = table.wheel[(table.wheel_now + 1) % WHEEL]
        while number:
            if most == 0:
                return ended
            most -= 1
            session = &table.sessions[number]
            if <int>(session.expires - now) <= 0:
                table.counters.expired[session.transport] += 1
                end_session(table, number, now)
                ended += 1
            else:
                wheel_remove(table, number)
                wheel_insert(table, number)
            number = table.wheel[(table.wheel_now + 1) % WHEEL]
        table.wheel_now += 1
    return ended

# Index: the hash tables that find a session by its endpoints, or by its mapping and remote address.
#
# What is stored: record numbers, chained through the records. Who writes: sessions, when one begins or ends;
# expect, when an expectation gets its remote endpoint. What ends an entry: the end of its session.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.table cimport (
    ANNOUNCED, EXPECTED, Mapping, NatTable, Session, ask_for, peer_bucket, tuple_bucket,
)

cdef struct Buckets:         # where a session is linked: of by_internal, by_external and by_peer
    uint32_t internal
    uint32_t external
    uint32_t peer

cdef inline uint32_t find_at(
    const NatTable* table, bint internal, uint32_t bucket, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    """The session in this bucket that has the endpoint on its internal, or its external, side; or 0."""
    cdef uint32_t number = (table.by_internal if internal else table.by_external)[bucket]
    cdef const Session* session
    while number:
        session = &table.sessions[number]
        if (
            (session.internal_address if internal else session.external_address) == address
            and session.remote_address == remote_address
            and (session.internal_port if internal else session.external_port) == port
            and session.remote_port == remote_port and session.protocol == protocol
        ):
            return number
        number = session.by_internal_next if internal else session.by_external_next
    return 0

cdef inline uint32_t find_by_internal_at(
    const NatTable* table, uint32_t bucket, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    """find_by_internal, in the tuple's bucket."""
    return find_at(table, True, bucket, protocol, address, port, remote_address, remote_port)

cdef inline uint32_t find_by_external_at(
    const NatTable* table, uint32_t bucket, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    """find_by_external, in the tuple's bucket."""
    return find_at(table, False, bucket, protocol, address, port, remote_address, remote_port)

cdef inline uint32_t find_by_internal(
    const NatTable* table, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    """The session of an internal with a remote endpoint, or 0."""
    cdef uint32_t bucket = tuple_bucket(table, protocol, address, port, remote_address, remote_port)
    return find_by_internal_at(table, bucket, protocol, address, port, remote_address, remote_port)

cdef inline uint32_t find_by_external(
    const NatTable* table, uint8_t protocol,
    uint32_t address, uint16_t port, uint32_t remote_address, uint16_t remote_port,
) noexcept nogil:
    """The session of an external with a remote endpoint, or 0."""
    cdef uint32_t bucket = tuple_bucket(table, protocol, address, port, remote_address, remote_port)
    return find_by_external_at(table, bucket, protocol, address, port, remote_address, remote_port)

cdef inline bint has_peer(const NatTable* table, uint32_t mapping, uint32_t remote_address) noexcept nogil:
    """Has this mapping a session with any port of the remote address, one that no helper announced?"""
    cdef uint32_t number = table.by_peer[peer_bucket(table, mapping, remote_address)]
    cdef const Session* session
    while number:
        session = &table.sessions[number]
        if (
            session.mapping == mapping and session.remote_address == remote_address
            and not session.flags & (EXPECTED | ANNOUNCED)
        ):
            return True
        number = session.by_peer_next
    return False

cdef inline Buckets buckets_for(
    const NatTable* table, const Mapping* mapping, uint32_t mapping_number,
    uint32_t remote_address, uint16_t remote_port, bint external, uint32_t bucket,
) noexcept nogil:
    """The buckets of a session that is to begin, asked for together.

    bucket: of its external endpoint, or of its internal one, which is known already.
    """
    cdef Buckets buckets
    cdef uint32_t other = tuple_bucket(
        table, mapping.protocol,
        mapping.internal_address if external else mapping.external_address,
        mapping.internal_port if external else mapping.external_port,
        remote_address, remote_port,
    )
    buckets.internal, buckets.external = (other, bucket) if external else (bucket, other)
    buckets.peer = peer_bucket(table, mapping_number, remote_address)
    ask_for(&table.by_internal[buckets.internal])
    ask_for(&table.by_external[buckets.external])
    ask_for(&table.by_peer[buckets.peer])
    return buckets

cdef inline uint32_t internal_bucket_of(const NatTable* table, const Session* session) noexcept nogil:
    return tuple_bucket(
        table, session.protocol, session.internal_address, session.internal_port,
        session.remote_address, session.remote_port,
    )

cdef inline uint32_t external_bucket_of(const NatTable* table, const Session* session) noexcept nogil:
    return tuple_bucket(
        table, session.protocol, session.external_address, session.external_port,
        session.remote_address, session.remote_port,
    )

cdef inline uint32_t peer_bucket_of(const NatTable* table, const Session* session) noexcept nogil:
    return peer_bucket(table, session.mapping, session.remote_address)

cdef inline Buckets buckets_of(const NatTable* table, const Session* session) noexcept nogil:
    """The buckets of a session whose endpoints and mapping are set."""
    cdef Buckets buckets
    buckets.internal = internal_bucket_of(table, session)
    buckets.external = external_bucket_of(table, session)
    buckets.peer = peer_bucket_of(table, session)
    return buckets

cdef inline void index_session(NatTable* table, uint32_t number, const Buckets* buckets) noexcept nogil:
    """Let a session be found by its endpoints and its mapping."""
    cdef Session* session = &table.sessions[number]
    cdef uint32_t* head = &table.by_internal[buckets.internal]
    session.by_internal_next = head[0]
    head[0] = number
    head = &table.by_external[buckets.external]
    session.by_external_next = head[0]
    head[0] = number
    head = &table.by_peer[buckets.peer]
    session.by_peer_previous = 0
    session.by_peer_next = head[0]
    if head[0]:
        table.sessions[head[0]].by_peer_previous = number
    head[0] = number

cdef inline void unindex_session(NatTable* table, uint32_t number) noexcept nogil:
    """Let it be found no more."""
    cdef Session* session = &table.sessions[number]
    cdef uint32_t* link = &table.by_internal[internal_bucket_of(table, session)]
    while link[0] != number:
        link = &table.sessions[link[0]].by_internal_next
    link[0] = session.by_internal_next
    link = &table.by_external[external_bucket_of(table, session)]
    while link[0] != number:
        link = &table.sessions[link[0]].by_external_next
    link[0] = session.by_external_next
    if session.by_peer_previous:
        table.sessions[session.by_peer_previous].by_peer_next = session.by_peer_next
    else:
        table.by_peer[peer_bucket(table, session.mapping, session.remote_address)] = session.by_peer_next
    if session.by_peer_next:
        table.sessions[session.by_peer_next].by_peer_previous = session.by_peer_previous

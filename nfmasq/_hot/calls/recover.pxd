# Recover: the sessions that an earlier process left in the arena are linked into the table.
#
# The file is not trusted: a record that is damaged, or contradicts itself or another one, is given up, and no
# other. What the header says of the highest record is not believed; each record that was stored is looked at.

from libc.stdint cimport uint32_t
from libc.string cimport memset

from nfmasq._hot.calls.ahead cimport WINDOW, Needed, look_ahead, look_ahead_first
from nfmasq._hot.state.capacity cimport MOST_UPLINKS
from nfmasq._hot.state.check cimport is_undamaged, write_check
from nfmasq._hot.state.index cimport Buckets, find_by_external_at, find_by_internal_at, peer_bucket_of
from nfmasq._hot.state.keys cimport is_keyed, is_way
from nfmasq._hot.state.mappings cimport (
    begin_host, begin_mapping, count_port, find_host, find_mapping_by_external, pair, set_scope,
)
from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_OTHER, CLASS_TCP, CLASS_UDP, INBOUND, OUTBOUND
from nfmasq._hot.state.pools cimport recover_pool
from nfmasq._hot.state.ports cimport take_mapped
from nfmasq._hot.state.sequence cimport REOPENING
from nfmasq._hot.state.sessions cimport link_session
from nfmasq._hot.state.table cimport (
    EXPECTED, NAMED, NO_POOL, OLD_TIMER, SCOPE_ADDRESS_AND_PORT, SCOPE_SHARED, SCOPE_STATIC, SETTLED,
    WAS_HELPED, Mapping, NatTable, Scope, Session, external_mapping_bucket, pool_of,
)
from nfmasq._hot.state.tcpstate cimport TCP_NONE, TCP_STATE_COUNT, tcp_half_open
from nfmasq._hot.wire.wire cimport GRE, ICMP, TCP, UDP, ntohs

cdef enum:
    LONGEST_TIMER = 30 * 86400

cdef inline bint has_sound_port(const Session* session) noexcept nogil:
    """Portless protocols have a key or nothing; queries that came by a forward have none either."""
    if is_keyed(session):
        return (
            session.protocol == GRE and is_way(session.remote_port)
            and session.scope == SCOPE_ADDRESS_AND_PORT
        )
    if session.transport == CLASS_OTHER:
        return session.external_port == 0
    return session.external_port != 0 or session.transport == CLASS_ICMP and session.scope >= SCOPE_STATIC

cdef inline bint has_sound_state(const Session* session) noexcept nogil:
    """No connection is begun anew that is just beginning, and no counter has come near its end."""
    if session.traffic.more_packets[OUTBOUND] > 0x7FFF:
        return False
    if session.transport != CLASS_TCP:
        return session.state == TCP_NONE
    return session.state < TCP_STATE_COUNT and not (
        tcp_half_open[session.state] and (session.scale[OUTBOUND] | session.scale[INBOUND]) & REOPENING
    )

cdef inline bint is_sound(const Session* session, uint32_t now) noexcept nogil:
    """Does the record make sense by itself?"""
    cdef int transport = CLASS_OTHER
    if session.protocol == TCP:
        transport = CLASS_TCP
    elif session.protocol == UDP:
        transport = CLASS_UDP
    elif session.protocol == ICMP:
        transport = CLASS_ICMP
    return (
        session.live == 1 and session.transport == transport and has_sound_state(session)
        and session.internal_address != 0 and session.external_address != 0
        and (session.remote_address != 0 or session.flags & EXPECTED)
        and session.scope <= SCOPE_SHARED and has_sound_port(session)
        and <int>(now - session.created) >= 0 and 0 < <int>(session.expires - now) < LONGEST_TIMER
    )

cdef inline bint is_mapping_of(const Mapping* mapping, const Session* session) noexcept nogil:
    """Its remote endpoint may be another: filtering may let in more than the mapping was made for."""
    return (
        mapping.internal_address == session.internal_address
        and mapping.internal_port == session.internal_port
        and mapping.external_address == session.external_address
        and mapping.external_port == session.external_port and mapping.scope == session.scope
    )

cdef inline uint32_t find_alike(const NatTable* table, const Mapping* wanted) noexcept nogil:
    """A mapping as wanted, by the same external address: no realm is known yet."""
    cdef uint32_t number = table.mapping_by_internal[wanted.internal_bucket]
    cdef const Mapping* mapping
    while number:
        mapping = &table.mappings[number]
        if (
            mapping.internal_address == wanted.internal_address
            and mapping.internal_port == wanted.internal_port
            and mapping.remote_address == wanted.remote_address
            and mapping.remote_port == wanted.remote_port
            and mapping.external_address == wanted.external_address
            and mapping.protocol == wanted.protocol and mapping.scope == wanted.scope
            and (wanted.scope < SCOPE_STATIC or mapping.external_port == wanted.external_port)
        ):
            return number
        number = mapping.by_internal_next
    return 0

cdef inline uint32_t find_mapping_of(const NatTable* table, const Session* session) noexcept nogil:
    """The mapping of the session's internal endpoint at its external one, or 0."""
    cdef uint32_t number = table.mapping_by_external[external_mapping_bucket(
        table, session.protocol, session.external_address, session.external_port
    )]
    while number and not (
        table.mappings[number].protocol == session.protocol
        and is_mapping_of(&table.mappings[number], session)
    ):
        number = table.mappings[number].by_external_next
    return number

cdef inline bint share_port(NatTable* table, Mapping* wanted, uint32_t other) noexcept nogil:
    """Let one of two mappings borrow the other's port. False: neither is for one remote endpoint alone."""
    if wanted.scope == SCOPE_ADDRESS_AND_PORT:
        wanted.borrows = True
        return True
    if table.mappings[other].scope != SCOPE_ADDRESS_AND_PORT:
        return False
    count_port(table, &table.mappings[other], -1)
    table.mappings[other].borrows = True
    table.borrowing += 1
    return True

cdef inline bint find_place(NatTable* table, Mapping* wanted, uint32_t other) noexcept nogil:
    """Give the mapping its port, or let it or the `other` one there (0: there is none) borrow it."""
    if other and not share_port(table, wanted, other):
        return False
    if wanted.transport == CLASS_OTHER or wanted.scope >= SCOPE_STATIC:
        return True
    wanted.pool = recover_pool(table, wanted.external_address)
    if wanted.pool == NO_POOL:
        return False
    if not wanted.borrows:
        take_mapped(pool_of(table, wanted.pool, wanted.transport), ntohs(wanted.external_port))
    return True

cdef inline uint32_t recover_mapping(NatTable* table, const Session* session) noexcept nogil:
    """The session's mapping, found or made again; 0 when another record claims either of its endpoints."""
    cdef uint32_t other = 0
    cdef uint32_t host = find_host(table, session.internal_address)
    cdef uint32_t number
    cdef Mapping wanted
    cdef Mapping* mapping
    memset(&wanted, 0, sizeof(Mapping))
    wanted.protocol = session.protocol
    wanted.transport = session.transport
    wanted.internal_address, wanted.internal_port = session.internal_address, session.internal_port
    wanted.external_address, wanted.external_port = session.external_address, session.external_port
    wanted.pool = NO_POOL
    set_scope(table, &wanted, <Scope>session.scope, session.remote_address, session.remote_port)
    if session.transport != CLASS_OTHER and session.scope < SCOPE_STATIC:
        number = find_mapping_of(table, session)
        other = find_mapping_by_external(
            table, session.protocol, session.external_address, session.external_port, False
        )
    else:
        number = find_alike(table, &wanted)
    if number:
        mapping = &table.mappings[number]
        if not is_mapping_of(mapping, session):
            return 0
        mapping.created = min(mapping.created, session.created)
        return number
    if find_alike(table, &wanted) or not find_place(table, &wanted, other):
        return 0
    if not host:
        host = begin_host(table, session.internal_address)
    if session.scope < SCOPE_STATIC and not is_keyed(session):
        pair(&table.hosts[host], session.external_address)
    return begin_mapping(table, &wanted, host, session.created)

cdef inline void adapt(Session* session, uint32_t shift) noexcept nogil:
    """From a copy to the table: numbers are others here, and after a reboot so are the seconds."""
    session.created += shift
    session.expires += shift
    if is_keyed(session):
        session.reopening = 0                        # which was the number of its control session
    write_check(session)

cdef inline bint recover_session(
    NatTable* table, uint32_t number, Buckets* buckets, uint32_t now
) noexcept nogil:
    cdef Session* session = &table.sessions[number]
    cdef uint32_t mapping = 0
    if is_sound(session, now) and not find_by_internal_at(
        table, buckets.internal, session.protocol, session.internal_address, session.internal_port,
        session.remote_address, session.remote_port,
    ) and not find_by_external_at(
        table, buckets.external, session.protocol, session.external_address, session.external_port,
        session.remote_address, session.remote_port,
    ):
        mapping = recover_mapping(table, session)
    if mapping:
        # Serials are of that process, and so are helpers: these read from the first byte or not at all, but
        # for those of UDP, which read each datagram by itself. Their numbers may be others now.
        session.flags &= <unsigned char>~(NAMED | OLD_TIMER | SETTLED)
        session.helper = WAS_HELPED if session.helper and session.transport == CLASS_UDP else 0
        session.uplink = min(session.uplink, <unsigned char>(MOST_UPLINKS - 1))
        session.mapping = mapping
        buckets.peer = peer_bucket_of(table, session)
        link_session(table, number, mapping, buckets)
    return mapping != 0

cdef inline uint32_t recover(
    NatTable* table, uint32_t stored, bint copied, uint32_t shift, uint32_t now, uint32_t* damaged
) noexcept nogil:
    """Link what the first `stored` records hold; return how many sessions live on. All others are free.

    copied: they come from a copy. shift: seconds to add to their times then. damaged: counts the records in
    use that are not as they were written, or contradict others.

    The lowest numbers first: they are the oldest as a rule, and a mapping is for what its first session was.
    """
    cdef uint32_t recovered = 0
    cdef uint32_t number
    cdef bint undamaged
    cdef Session* session
    cdef Needed[WINDOW] window
    table.top[0] = 0
    look_ahead_first(table, window, stored)
    for number in range(1, stored + 1):
        look_ahead(table, window, number, stored)
        session = &table.sessions[number]
        if not session.live:
            continue
        undamaged = is_undamaged(session)
        if undamaged and copied:
            adapt(session, shift)
        if undamaged and recover_session(table, number, &window[number % WINDOW].buckets, now):
            recovered += 1
            table.top[0] = number
        else:
            damaged[0] += not undamaged or <int>(session.expires - now) > 0
            session.live = session.check = 0
    for number in range(table.top[0], 0, -1):
        if not table.sessions[number].live:
            table.sessions[number].check = 0         # of a session that was ending
            table.sessions[number].by_internal_next = table.session_free
            table.session_free = number
    return recovered

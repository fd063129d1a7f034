# Announce: what the helpers' thread asks of the table: expectations made and withdrawn, sessions let go.
#
# Every call names a session by its number and its serial, so that a session that has ended meanwhile is never
# taken for the next in its record. The caller of each function holds the table's lock.

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.check cimport write_check
from nfmasq._hot.state.evictable cimport leave_line
from nfmasq._hot.state.index cimport find_by_external, find_by_internal
from nfmasq._hot.state.mappings cimport find_host, find_mapping, find_mapping_by_external, set_scope
from nfmasq._hot.state.packet cimport CLASS_UDP, INBOUND, OUTBOUND, Packet
from nfmasq._hot.state.ports cimport PortPool, give_back, take_port
from nfmasq._hot.state.rules cimport is_assignable
from nfmasq._hot.state.sessions cimport (
    begin_session, end_session, port_rests, rename_session, take_out,
)
from nfmasq._hot.state.table cimport (
    ANNOUNCED, EXPECTED, NO_POOL, SCOPE_ADDRESS_AND_PORT, Mapping, NatTable, Session, pool_of,
    tuple_bucket,
)
from nfmasq._hot.state.timers cimport set_timer
from nfmasq._hot.way.limits cimport within_limits
from nfmasq._hot.way.make_room cimport make_room
from nfmasq._hot.way.pairing cimport admit_mapping, want_outbound
from nfmasq._hot.wire.wire cimport ntohs

cdef inline Session* named(NatTable* table, uint32_t number, uint32_t serial) noexcept nogil:
    """The session of this name, or NULL when it has ended."""
    if number == 0 or number > table.top[0] or not table.sessions[number].live:
        return NULL
    if serial == 0 or table.serials[number] != serial:
        return NULL
    return &table.sessions[number]

cdef inline void let_go(NatTable* table, uint32_t number, uint32_t serial) noexcept nogil:
    """From now on its packets are set aside no more."""
    cdef Session* session = named(table, number, serial)
    if session != NULL:
        session.helper = 0

cdef inline void note_correction(
    NatTable* table, uint32_t number, uint32_t serial, int32_t outbound, int32_t inbound
) noexcept nogil:
    """By how much what either side sent has become longer for the other."""
    cdef Session* session = named(table, number, serial)
    if session != NULL:
        session.correction[OUTBOUND], session.correction[INBOUND] = outbound, inbound
        write_check(session)

cdef inline void remember(NatTable* table, uint32_t number, uint32_t serial, int32_t noted) noexcept nogil:
    """Keep a helper's number with a UDP session, in the place of a connection's correction."""
    cdef Session* session = named(table, number, serial)
    if session != NULL and session.transport == CLASS_UDP:
        session.correction[OUTBOUND] = noted
        write_check(session)

cdef inline int32_t remembered(NatTable* table, uint32_t number, uint32_t serial) noexcept nogil:
    """The number that is kept with a UDP session, else 0."""
    cdef Session* session = named(table, number, serial)
    return session.correction[OUTBOUND] if session != NULL and session.transport == CLASS_UDP else 0

cdef inline void prolong(NatTable* table, uint32_t number, uint32_t expires) noexcept nogil:
    if number and <int>(table.sessions[number].expires - expires) < 0:
        set_timer(table, number, expires)

cdef inline bint keep(
    NatTable* table, uint32_t number, uint32_t serial, uint32_t seconds, uint32_t now
) noexcept nogil:
    """Let it live for so many seconds at least; of a hairpinned one, both sides. False: it has ended."""
    cdef Session* session = named(table, number, serial)
    if session == NULL:
        return False
    prolong(table, number, now + seconds)
    prolong(table, find_by_external(
        table, session.protocol, session.remote_address, session.remote_port,
        session.external_address, session.external_port,
    ), now + seconds)
    return True

cdef inline bint is_expected(NatTable* table, uint32_t number, uint32_t serial) noexcept nogil:
    """Is it an expectation that no packet has fulfilled yet?"""
    cdef const Session* session = named(table, number, serial)
    return session != NULL and session.flags & EXPECTED != 0

cdef inline bint withdraw(
    NatTable* table, uint32_t number, uint32_t serial, bint told, uint32_t now
) noexcept nogil:
    """End an expectation that no packet has fulfilled. told: somebody may have heard of its port."""
    cdef Session* session = named(table, number, serial)
    if session == NULL or not session.flags & EXPECTED:
        return False
    take_out(table, number, told and port_rests(table, session), now)
    return True

cdef inline bint end_announced(
    NatTable* table, uint32_t number, uint32_t serial, uint32_t now
) noexcept nogil:
    """End an expectation, or a session that began by one. False: it has ended, or no helper announced it."""
    cdef Session* session = named(table, number, serial)
    if session == NULL or not session.flags & ANNOUNCED:
        return False
    end_session(table, number, now)
    return True

cdef inline bint borrow_own_port(
    NatTable* table, const Packet* packet, Mapping* wanted, uint16_t port
) noexcept nogil:
    """Give the wanted mapping a port that the same internal endpoint has already, in another scope.

    Nobody else can reach the internal endpoint by it: the sessions there differ by their remote endpoint.
    """
    cdef uint32_t number = find_mapping_by_external(
        table, packet.protocol, wanted.external_address, port, False
    )
    if not number or table.mappings[number].internal_address != packet.near_address or (
        table.mappings[number].internal_port != packet.near_port
    ) or find_by_external(
        table, packet.protocol, wanted.external_address, port, packet.remote_address, packet.remote_port
    ):
        return False
    wanted.external_port = port
    wanted.borrows = True
    set_scope(table, wanted, SCOPE_ADDRESS_AND_PORT, packet.remote_address, packet.remote_port)
    return True

cdef inline bint take_wanted_port(
    NatTable* table, const Packet* packet, Mapping* wanted, uint16_t port
) noexcept nogil:
    """Give the wanted mapping this very port: one that is handed out and free, or its endpoint's own."""
    cdef PortPool* pool
    if wanted.pool == NO_POOL:
        return wanted.external_port == port
    if borrow_own_port(table, packet, wanted, port):
        return True
    pool = pool_of(table, wanted.pool, packet.transport)
    if not is_assignable(&table.rules, packet.transport, ntohs(port)) or find_mapping_by_external(
        table, packet.protocol, wanted.external_address, port, True
    ) or not take_port(pool, ntohs(port)):
        return False
    wanted.external_port = port
    return True

cdef inline bint is_borrowed(
    const NatTable* table, const Packet* packet, const Mapping* mapping
) noexcept nogil:
    """Has another session the mapping's port for this remote endpoint?"""
    return table.borrowing != 0 and find_by_external(
        table, packet.protocol, mapping.external_address, mapping.external_port,
        packet.remote_address, packet.remote_port,
    ) != 0

cdef inline uint32_t renew(
    NatTable* table, uint32_t number, uint32_t control, uint32_t now, uint32_t expires
) noexcept nogil:
    """Let an expectation that stands go on; 0: it is a session already.

    If another control session announced it before, that one knows it no more.
    """
    cdef Session* session = &table.sessions[number]
    if not session.flags & EXPECTED:
        return 0
    if session.reopening != control:
        rename_session(table, number)
        session.reopening, session.created = control, now
        write_check(session)
    set_timer(table, number, expires)
    return number

cdef inline uint32_t announce(
    NatTable* table, uint32_t control, Packet* packet, uint16_t port, uint8_t helper,
    uint32_t now, uint32_t expires,
) noexcept nogil:
    """An expectation for the packet's internal and remote endpoint; 0 and a reason when there can be none.

    control: the session that announces it. `port`, if not 0, is the external port it must have (network
    order). helper: reads the session that will begin; 0: none. One that stands is renewed.
    """
    cdef uint32_t host
    cdef uint32_t mapping = 0
    cdef uint32_t number = find_by_internal(
        table, packet.protocol,
        packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
    )
    cdef Mapping wanted
    if number:
        number = renew(table, number, control, now, expires)
        if number:
            table.sessions[number].helper = helper
        return number
    packet.direction = OUTBOUND
    leave_line(table, control)               # it makes room for nothing that it announces
    make_room(table, now)
    host = find_host(table, packet.near_address)
    if not within_limits(table, packet, host, now) or not want_outbound(table, packet, host, &wanted):
        return 0
    if host:
        mapping = find_mapping(table, &wanted)
    if mapping and port and table.mappings[mapping].external_port != port:
        return 0
    if mapping and is_borrowed(table, packet, &table.mappings[mapping]):
        return 0
    if not mapping:
        if port and not take_wanted_port(table, packet, &wanted, port):
            return 0
        mapping = admit_mapping(table, packet, host, &wanted, now)
        if not mapping and port and wanted.pool != NO_POOL and not wanted.borrows:
            give_back(pool_of(table, wanted.pool, packet.transport), ntohs(port))
    if not mapping:
        return 0
    number = begin_session(
        table, mapping, packet.remote_address, packet.remote_port, now, expires, EXPECTED | ANNOUNCED,
        tuple_bucket(
            table, packet.protocol,
            packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
        ),
    )
    if number:
        table.sessions[number].reopening = control
        table.sessions[number].helper = helper
    return number

# Admit: a session for a packet that belongs to none, or the reason why not.
#
# From inside: the mapping that its internal endpoint has under the behaviour of its network (RFC 4787 REQ-1),
# made if need be, and a session with the remote endpoint. From outside: where a helper announced it, where a
# forward leads, or through a mapping that stands, if its filtering lets this remote endpoint in (REQ-8); the
# default host comes last.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from nfmasq._hot.way.attach cimport attach_helper
from nfmasq._hot.way.expect cimport arrive, find_expected, first_timer
from nfmasq._hot.way.forwards cimport (
    choose_target, find_forward, find_static, is_for_default_host, static_port, target_port,
)
from nfmasq._hot.way.limits cimport may_have_port, within_limits
from nfmasq._hot.state.mappings cimport (
    begin_host, begin_mapping, find_host, find_mapping, find_mapping_by_external, set_scope,
)
from nfmasq._hot.state.packet cimport (
    CLASS_ICMP, CLASS_OTHER, CLASS_TCP, CLASS_UDP, ICMP_REPLY, OUTBOUND, Packet, drop, let_pass,
)
from nfmasq._hot.state.ports cimport PortPool, allocate_port, free_ports, give_back
from nfmasq._hot.state.reasons cimport (
    FILTERED, ICMP_NO_SESSION, NO_EXTERNAL_ADDRESS, NO_MAPPING, PORTLESS_REMOTE_TAKEN, PORTS_EXHAUSTED,
    SESSION_CLASH, TCP_NO_SESSION,
)
from nfmasq._hot.state.rules cimport (
    ADDRESS_DEPENDENT, ENDPOINT_INDEPENDENT, Forward, Rules, Target, behaviour_of,
)
from nfmasq._hot.way.screen cimport screen
from nfmasq._hot.state.sessions cimport (
    begin_session, end_session, find_by_external, find_by_internal, has_peer,
)
from nfmasq._hot.state.table cimport (
    BEGUN_OUTSIDE, EXPECTED, NO_POOL, SCOPE_SHARED, SCOPE_STATIC, Host, Mapping, NatTable, Scope, Session,
    ask_for, endpoint_bucket, peer_bucket, pool_of, random_word, tuple_bucket,
)
from nfmasq._hot.wire.wire cimport ACK, SYN, htons, ntohs

cdef enum:
    TRIES = 16               # at finding a port of a pool, where forwards' mappings have some

cdef inline bint may_begin(Packet* packet) noexcept nogil:
    """Is this the first packet of anything? TCP begins with a SYN, a query with a request."""
    if packet.transport == CLASS_TCP and packet.tcp_flags & (SYN | ACK) != SYN:
        return drop(packet, TCP_NO_SESSION)
    if packet.kind == ICMP_REPLY:
        return drop(packet, ICMP_NO_SESSION)
    return True

# The mapping -----------------------------------------------------------------------------------------------

cdef inline int paired_external(NatTable* table, Packet* packet, uint32_t host) noexcept nogil:
    """Which of the pool's addresses an internal host appears as: the one it has (RFC 4787 REQ-2), or -1.

    A host that has none yet gets one by its hash, or the next that still has a free port.
    """
    cdef uint32_t count = table.rules.pooled_count
    cdef uint32_t first = endpoint_bucket(table, 0, packet.near_address, 0)
    cdef uint32_t i
    if count == 0:
        return -1
    if host and table.hosts[host].external_address:
        for i in range(count):
            if table.rules.external[i] == table.hosts[host].external_address:
                return <int>i
    elif packet.transport != CLASS_OTHER:
        for i in range(count):
            if free_ports(pool_of(table, <uint16_t>((first + i) % count), packet.transport)):
                return <int>((first + i) % count)
    return <int>(first % count)

cdef inline void want_internal(Packet* packet, Mapping* wanted) noexcept nogil:
    """A mapping of the packet's internal endpoint, its scope and its external endpoint still open."""
    memset(wanted, 0, sizeof(Mapping))
    wanted.protocol = packet.protocol
    wanted.transport = packet.transport
    wanted.internal_address = packet.near_address
    wanted.internal_port = packet.near_port
    wanted.pool = NO_POOL

cdef inline bint want_outbound(
    NatTable* table, Packet* packet, uint32_t host, Mapping* wanted
) noexcept nogil:
    """The mapping that what an internal endpoint begins goes by. False: the packet is dropped."""
    cdef const Forward* forward = find_static(&table.rules, packet)
    cdef const Target* target
    cdef int paired = paired_external(table, packet, host)
    want_internal(packet, wanted)
    if forward != NULL:
        target = &table.rules.targets[forward.first_target]
        set_scope(wanted, SCOPE_STATIC, 0, 0)
        wanted.external_address = forward.external
        if packet.transport != CLASS_OTHER:
            wanted.external_port = static_port(forward, target, packet)
    else:
        set_scope(
            wanted,
            <Scope>behaviour_of(&table.rules, packet.near_address).mapping[packet.transport],
            packet.remote_address, packet.remote_port,
        )
    if wanted.external_address == 0:
        if paired < 0:
            return drop(packet, NO_EXTERNAL_ADDRESS)
        wanted.external_address = table.rules.external[paired]
        if forward == NULL and packet.transport != CLASS_OTHER:
            wanted.pool = <uint16_t>paired
    return True

cdef inline bint is_forwards_port(
    const NatTable* table, const Packet* packet, const Mapping* wanted, bint with_this_remote
) noexcept nogil:
    """Has a forward's mapping the wanted external endpoint, or at least a session of this very remote one?

    It is in no pool: the default host has mappings at any port it was ever sent to.
    """
    if table.static_mappings == 0:
        return False
    if with_this_remote:
        return find_by_external(
            table, packet.protocol, wanted.external_address, wanted.external_port,
            packet.remote_address, packet.remote_port,
        ) != 0
    return find_mapping_by_external(
        table, packet.protocol, wanted.external_address, wanted.external_port, True
    ) != 0

cdef inline bint give_port(NatTable* table, Packet* packet, Mapping* wanted, uint32_t now) noexcept nogil:
    """A port of the wanted mapping's pool, one that no forward's mapping has if that is soon found.

    Else one at which this remote endpoint speaks with nobody: who sends to every port of the default host
    shall not use them all up for the others.
    """
    cdef PortPool* pool = pool_of(table, wanted.pool, packet.transport)
    cdef uint16_t port
    cdef int i
    for i in range(TRIES):
        port = allocate_port(
            pool, &table.rules, packet.transport, ntohs(packet.near_port), random_word(table), now
        )
        if port == 0:
            break
        wanted.external_port = htons(port)
        if not is_forwards_port(table, packet, wanted, i >= TRIES // 2):
            return True
        give_back(pool, port)
    table.counters.allocation_failures[packet.transport] += 1
    return drop(packet, PORTS_EXHAUSTED)

cdef inline void ask_for_links(
    const NatTable* table, const Packet* packet, const Mapping* wanted
) noexcept nogil:
    """Have the buckets that a new session is to be linked into on their way, all together."""
    cdef uint32_t number = table.mapping_free or table.mapping_top + 1
    ask_for(&table.mappings[number])
    ask_for(&table.by_peer[peer_bucket(table, number, packet.remote_address)])
    ask_for(&table.mapping_by_external[endpoint_bucket(
        table, wanted.protocol, wanted.external_address, wanted.external_port
    )])
    ask_for(&table.by_external[tuple_bucket(
        table, wanted.protocol, wanted.external_address, wanted.external_port,
        packet.remote_address, packet.remote_port,
    )])

cdef inline uint32_t admit_mapping(
    NatTable* table, Packet* packet, uint32_t host, Mapping* wanted, uint32_t now
) noexcept nogil:
    """A new mapping as wanted, or 0 and the packet is dropped."""
    if not may_have_port(table, packet, host):
        return 0
    if wanted.pool != NO_POOL and wanted.external_port == 0 and not give_port(table, packet, wanted, now):
        return 0
    ask_for_links(table, packet, wanted)
    if not host:
        host = begin_host(table, wanted.internal_address)
    if table.hosts[host].external_address == 0 and wanted.scope < SCOPE_STATIC:
        table.hosts[host].external_address = wanted.external_address
    return begin_mapping(table, wanted, host, now)

# The session -----------------------------------------------------------------------------------------------

cdef inline void admit_session(
    NatTable* table, Packet* packet, uint32_t mapping, uint32_t now
) noexcept nogil:
    packet.session = begin_session(
        table, mapping, packet.remote_address, packet.remote_port,
        now, now + first_timer(&table.rules, packet.transport),
        0 if packet.direction == OUTBOUND else BEGUN_OUTSIDE,
    )
    attach_helper(table, packet)

cdef inline bint is_external_clash(NatTable* table, Packet* packet, const Mapping* wanted) noexcept nogil:
    """Does another session speak with the remote endpoint by the wanted external one already?

    Where every mapping has a port of its own that cannot be.
    """
    if wanted.transport != CLASS_OTHER and table.static_mappings == 0 and wanted.scope < SCOPE_STATIC:
        return False
    return find_by_external(
        table, packet.protocol, wanted.external_address, wanted.external_port,
        packet.remote_address, packet.remote_port,
    ) != 0

cdef inline bint admit_outbound(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    cdef uint32_t host = find_host(table, packet.near_address)
    cdef uint32_t number = 0
    cdef Mapping wanted
    if not may_begin(packet):
        return False
    if packet.expected:
        arrive(table, packet, packet.expected, now)
        return True
    if not within_limits(table, packet, host, now):
        return False
    if not want_outbound(table, packet, host, &wanted):
        return False
    if host:
        number = find_mapping(table, &wanted)
    if number:
        wanted.external_address = table.mappings[number].external_address
        wanted.external_port = table.mappings[number].external_port
    if (number or wanted.pool == NO_POOL) and is_external_clash(table, packet, &wanted):
        # Without ports the remote address alone tells internal hosts apart: one of them to each.
        return drop(packet, PORTLESS_REMOTE_TAKEN if packet.transport == CLASS_OTHER else SESSION_CLASH)
    if not number:
        number = admit_mapping(table, packet, host, &wanted, now)
        if not number:
            return False
    admit_session(table, packet, number, now)
    return True

cdef inline bint passes_filter(const NatTable* table, Packet* packet, uint32_t mapping) noexcept nogil:
    cdef uint8_t filtering = behaviour_of(
        &table.rules, table.mappings[mapping].internal_address
    ).filtering[packet.transport]
    return filtering == ENDPOINT_INDEPENDENT or (
        filtering == ADDRESS_DEPENDENT and has_peer(table, mapping, packet.remote_address)
    )

cdef inline bint is_internal_clash(NatTable* table, Packet* packet, const Mapping* mapping) noexcept nogil:
    """Does the remote endpoint speak with the internal one already, by another external endpoint?"""
    return find_by_internal(
        table, packet.protocol, mapping.internal_address, mapping.internal_port,
        packet.remote_address, packet.remote_port,
    ) != 0

cdef inline bint admit_by_mapping(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Let in what comes to a mapping that stands. The answer to another's query may have no session yet."""
    cdef uint32_t mapping = find_mapping_by_external(
        table, packet.protocol, packet.near_address, packet.near_port, False
    )
    if packet.transport == CLASS_ICMP and not (mapping and passes_filter(table, packet, mapping)):
        return let_pass(packet)          # an answer to the router's own ping
    if not mapping:
        return drop(packet, NO_MAPPING)
    if not passes_filter(table, packet, mapping):
        return drop(packet, FILTERED)
    if packet.kind != ICMP_REPLY and not may_begin(packet):
        return False
    if not within_limits(table, packet, table.mappings[mapping].host, now):
        return False
    if is_internal_clash(table, packet, &table.mappings[mapping]):
        return drop(packet, SESSION_CLASH)
    admit_session(table, packet, mapping, now)
    return True

cdef inline bint admit_by_forward(
    NatTable* table, Packet* packet, const Forward* forward, uint32_t now
) noexcept nogil:
    """Let in what a forward claims, to its target."""
    cdef const Target* target = choose_target(table, forward)
    cdef uint32_t host = find_host(table, target.address)
    cdef uint32_t number = 0
    cdef Mapping wanted
    want_internal(packet, &wanted)
    wanted.internal_address = target.address
    wanted.internal_port = target_port(forward, target, packet)
    wanted.external_address = packet.near_address
    wanted.external_port = packet.near_port
    set_scope(&wanted, SCOPE_STATIC if forward.two_way else SCOPE_SHARED, 0, 0)
    if not may_begin(packet) or not within_limits(table, packet, host, now):
        return False
    if is_internal_clash(table, packet, &wanted):
        return drop(packet, SESSION_CLASH)
    if host:
        number = find_mapping(table, &wanted)
    if not number:
        number = admit_mapping(table, packet, host, &wanted, now)
        if not number:
            return False
    admit_session(table, packet, number, now)
    return True

cdef inline bint is_mapped(const NatTable* table, Packet* packet) noexcept nogil:
    """Is there a mapping at the packet's external endpoint, no forward's, that lets it in?"""
    cdef uint32_t mapping = 0
    if packet.transport <= CLASS_UDP:
        mapping = find_mapping_by_external(
            table, packet.protocol, packet.near_address, packet.near_port, False
        )
    return mapping != 0 and passes_filter(table, packet, mapping)

cdef inline void end_predecessor(NatTable* table, const Packet* packet, uint32_t now) noexcept nogil:
    """What comes as announced may find its very endpoints in a connection that is over; lookup let it by."""
    cdef uint32_t number = find_by_external(
        table, packet.protocol, packet.near_address, packet.near_port,
        packet.remote_address, packet.remote_port,
    )
    if number and not table.sessions[number].flags & EXPECTED:
        end_session(table, number, now)

cdef inline bint admit_inbound(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    cdef const Forward* forward
    cdef uint32_t expected = find_expected(table, packet)
    if expected:
        if not may_begin(packet):
            return False
        end_predecessor(table, packet, now)
        if packet.expected == 0 and is_internal_clash(table, packet, &table.mappings[
            table.sessions[expected].mapping
        ]):
            return drop(packet, SESSION_CLASH)
        arrive(table, packet, expected, now)
        return True
    forward = find_forward(&table.rules, packet)
    if forward != NULL and not (is_for_default_host(forward) and is_mapped(table, packet)):
        return admit_by_forward(table, packet, forward, now)
    if packet.transport == CLASS_OTHER or packet.transport == CLASS_ICMP and packet.kind != ICMP_REPLY:
        return let_pass(packet)          # a ping of the router, a tunnel of its own
    return admit_by_mapping(table, packet, now)

cdef inline bint admit(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Begin the packet's session. False: its way has ended."""
    if not screen(&table.rules, packet):
        return False
    if packet.direction == OUTBOUND:
        return admit_outbound(table, packet, now)
    return admit_inbound(table, packet, now)

# Pairing: the mapping of an internal endpoint, and the external endpoint that the mapping gets.
#
# An internal host is paired with one address of each pool (RFC 4787 REQ-2). A forward gives its target the
# forward's own external endpoint. Every other mapping gets a port of the paired address that is free.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from nfmasq._hot.state.evictable cimport line_of
from nfmasq._hot.state.index cimport find_by_external
from nfmasq._hot.state.mappings cimport (
    begin_host, begin_mapping, find_host, find_mapping_by_external, pair, set_scope,
)
from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_OTHER, Packet, drop
from nfmasq._hot.state.ports cimport (
    PRIVILEGED, PortPool, allocate_port, end_hold_downs, free_for, free_ports, give_back, is_short, nth_port,
)
from nfmasq._hot.state.reasons cimport HOST_PORTS_FULL, NO_EXTERNAL_ADDRESS, PORTS_EXHAUSTED
from nfmasq._hot.state.rules cimport Forward, Target, behaviour_of
from nfmasq._hot.state.table cimport (
    NO_POOL, SCOPE_ADDRESS_AND_PORT, SCOPE_STATIC, Host, Mapping, NatTable, Scope,
    endpoint_bucket, pool_of, random_word,
)
from nfmasq._hot.state.uplinks cimport NO_REALM, Realm
from nfmasq._hot.way.appear cimport realm_for
from nfmasq._hot.way.forwards cimport find_static, static_port
from nfmasq._hot.way.limits cimport has_port_share, may_have_port
from nfmasq._hot.way.make_room cimport AT_A_TIME, LEAST_PATIENCE, PATIENCE, evict_from, evict_own
from nfmasq._hot.wire.wire cimport htons, ntohs

cdef enum:
    TRIES = 16               # at finding a port of a pool, where forwards' mappings have some
    BORROW_TRIES = 8         # at finding one without a session of the remote endpoint

cdef inline bint is_paired(const Host* host, uint32_t external_address) noexcept nogil:
    return host.external_address == external_address or host.other_address == external_address

cdef inline uint32_t paired_external(
    NatTable* table, Packet* packet, const Realm* realm, uint32_t host
) noexcept nogil:
    """Which of the realm's addresses an internal host appears as: the one it has (RFC 4787 REQ-2).

    A host that has none yet gets one by its hash, or the next that still has a free port.
    """
    cdef uint32_t first, i, at
    if realm.count == 1:
        return realm.first
    if host:
        for i in range(realm.first, <uint32_t>realm.first + realm.count):
            if is_paired(&table.hosts[host], table.rules.external[i]):
                return i
    first = endpoint_bucket(table, 0, packet.near_address, 0)
    if packet.transport != CLASS_OTHER:
        for i in range(realm.count):
            at = realm.first + (first + i) % realm.count
            if free_ports(pool_of(table, table.pool_at[at], packet.transport)):
                return at
    return realm.first + first % realm.count

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
    """The mapping by which a session goes that an internal endpoint begins. False: the packet is dropped."""
    cdef uint8_t uplink
    cdef uint8_t realm = realm_for(&table.rules, packet, &uplink)
    cdef const Forward* forward = find_static(&table.rules, packet, uplink)
    cdef const Target* target
    cdef uint32_t paired
    want_internal(packet, wanted)
    wanted.realm = realm
    if forward != NULL:
        target = &table.rules.targets[forward.first_target]
        set_scope(table, wanted, SCOPE_STATIC, 0, 0)
        wanted.external_address = forward.external
        if packet.transport != CLASS_OTHER:
            wanted.external_port = static_port(forward, target, packet)
    else:
        set_scope(
            table, wanted,
            <Scope>behaviour_of(&table.rules, packet.near_address).mapping[packet.transport],
            packet.remote_address, packet.remote_port,
        )
    if wanted.external_address == 0:
        if realm == NO_REALM:
            return drop(packet, NO_EXTERNAL_ADDRESS)
        paired = paired_external(table, packet, &table.rules.realms[realm], host)
        wanted.external_address = table.rules.external[paired]
        if forward == NULL and packet.transport != CLASS_OTHER:
            wanted.pool = table.pool_at[paired]
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

cdef inline bint take_free_port(
    NatTable* table, PortPool* pool, const Packet* packet, Mapping* wanted, uint32_t now
) noexcept nogil:
    """A free port of the wanted mapping's pool, one that no forward's mapping has if that is soon found.

    Else one at which this remote endpoint has no session: a remote host that sends to every port of the
    default host must not use them all up for the others.
    """
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
    return False

cdef inline bint has_low_port(const Packet* packet) noexcept nogil:
    """Has the internal endpoint a privileged port? No query identifier is one."""
    return ntohs(packet.near_port) < PRIVILEGED and packet.transport != CLASS_ICMP

cdef inline bint may_borrow(const PortPool* pool, const Packet* packet, uint16_t port) noexcept nogil:
    """Low ports are for those that have one, as when they are free."""
    return port >= PRIVILEGED or pool.all_privileged or has_low_port(packet)

cdef inline bint borrow_port(NatTable* table, const Packet* packet, Mapping* wanted) noexcept nogil:
    """A port that another mapping has, for this one remote endpoint, which has no session there.

    Nobody else can reach the internal endpoint by it. An expectation of any remote endpoint gets none.
    """
    cdef const PortPool* pool = pool_of(table, wanted.pool, packet.transport)
    cdef uint16_t port
    cdef uint32_t first, i
    if not table.rules.share_ports or pool.size == 0 or packet.remote_address == 0 or (
        packet.remote_port == 0 and packet.transport != CLASS_ICMP
    ):
        return False
    first = <uint32_t>(random_word(table) % pool.size)
    for i in range(BORROW_TRIES):        # spread evenly: all of a small pool, and of a large one not all low
        port = nth_port(pool, (first + i * pool.size // BORROW_TRIES) % pool.size)
        wanted.external_port = htons(port)
        if may_borrow(pool, packet, port) and find_mapping_by_external(
            table, packet.protocol, wanted.external_address, wanted.external_port, False
        ) and not find_by_external(
            table, packet.protocol, wanted.external_address, wanted.external_port,
            packet.remote_address, packet.remote_port,
        ):
            wanted.borrows = True
            set_scope(table, wanted, SCOPE_ADDRESS_AND_PORT, packet.remote_address, packet.remote_port)
            return True
    return False

cdef inline uint32_t make_ports_free(
    NatTable* table, PortPool* pool, uint32_t line, bint low, uint32_t now
) noexcept nogil:
    """While few ports of a pool are free: end old sessions that nobody has answered. Return how many are."""
    cdef int _i
    for _i in range(AT_A_TIME):
        if not is_short(pool, free_for(pool, low)) or not evict_from(table, line, PATIENCE, now):
            break
    return free_for(pool, low)

cdef inline bint give_port(
    NatTable* table, Packet* packet, uint32_t host, Mapping* wanted, uint32_t now
) noexcept nogil:
    """A port for the wanted mapping: a free one; else one that an old session leaves; else a borrowed one.

    The host (0: one that has nothing yet) may end with an old session.
    """
    cdef PortPool* pool = pool_of(table, wanted.pool, packet.transport)
    cdef uint32_t line = line_of(wanted.pool, packet.transport)
    cdef bint low = has_low_port(packet)
    cdef uint32_t free
    end_hold_downs(pool, now)
    free = free_for(pool, low)
    if is_short(pool, free):
        free = make_ports_free(table, pool, line, low, now)
        host = find_host(table, wanted.internal_address)
    if free and has_port_share(table, host, packet.transport, free) and not evict_own(table, line, host, now):
        return borrow_port(table, packet, wanted) or drop(packet, HOST_PORTS_FULL)
    if take_free_port(table, pool, packet, wanted, now) or borrow_port(table, packet, wanted):
        return True
    if evict_from(table, line, LEAST_PATIENCE, now) and take_free_port(table, pool, packet, wanted, now):
        return True
    table.counters.allocation_failures[packet.transport] += 1
    return drop(packet, PORTS_EXHAUSTED)

cdef inline uint32_t admit_mapping(
    NatTable* table, Packet* packet, uint32_t host, Mapping* wanted, uint32_t now
) noexcept nogil:
    """A new mapping as wanted, or 0 and the packet is dropped. Old sessions may end for it, and hosts."""
    cdef uint64_t hosts_ended = table.hosts_ended
    if not may_have_port(table, packet, host):
        return 0
    if wanted.pool != NO_POOL and wanted.external_port == 0 and not give_port(
        table, packet, host, wanted, now
    ):
        return 0
    if table.hosts_ended != hosts_ended:
        host = find_host(table, wanted.internal_address)
    if not host:
        host = begin_host(table, wanted.internal_address)
    if wanted.scope < SCOPE_STATIC:
        pair(&table.hosts[host], wanted.external_address)
    return begin_mapping(table, wanted, host, now)

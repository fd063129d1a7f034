# Mappings and the hosts that have them: begun, found and ended here alone.
#
# A mapping is looked for by a Mapping that says what is wanted: protocol, internal endpoint, scope and, as
# far as the scope reaches, the remote endpoint; also by its realm, a static or shared one by its external
# endpoint.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memset

from nfmasq._hot.state.packet cimport CLASS_OTHER, CLASS_UDP
from nfmasq._hot.state.pools cimport keeps_pool, realm_of_mapping
from nfmasq._hot.state.ports cimport release_port
from nfmasq._hot.state.rules cimport Rules
from nfmasq._hot.state.table cimport (
    NO_POOL, SCOPE_ADDRESS, SCOPE_ADDRESS_AND_PORT, SCOPE_STATIC, Host, Mapping, NatTable, Scope,
    ask_for, external_mapping_bucket, host_bucket, internal_mapping_bucket, pool_of,
)
from nfmasq._hot.state.uplinks cimport NO_REALM
from nfmasq._hot.wire.wire cimport ntohs

# Hosts --------------------------------------------------------------------------------------------------

cdef inline uint32_t find_host(const NatTable* table, uint32_t address) noexcept nogil:
    cdef uint32_t number = table.host_by_address[host_bucket(table, address)]
    while number and table.hosts[number].address != address:
        number = table.hosts[number].next
    return number

cdef inline uint32_t begin_host(NatTable* table, uint32_t address) noexcept nogil:
    """A host with nothing yet. There is a record for every session, so for every host."""
    cdef uint32_t number = table.host_free
    cdef uint32_t* head = &table.host_by_address[host_bucket(table, address)]
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

cdef inline void end_host(NatTable* table, uint32_t number) noexcept nogil:
    cdef uint32_t* link = &table.host_by_address[
        host_bucket(table, table.hosts[number].address)
    ]
    while link[0] != number:
        link = &table.hosts[link[0]].next
    table.hosts_ended += 1
    link[0] = table.hosts[number].next
    table.hosts[number].next = table.host_free
    table.host_free = number

cdef inline void pair(Host* host, uint32_t external_address) noexcept nogil:
    """Let the host be paired with this address too (RFC 4787 REQ-2); two of different realms are kept."""
    if host.external_address == external_address:
        return
    if host.external_address == 0:
        host.external_address = external_address
    else:
        host.other_address = external_address

# Mappings -----------------------------------------------------------------------------------------------

cdef inline uint32_t internal_bucket(const NatTable* table, const Mapping* mapping) noexcept nogil:
    return internal_mapping_bucket(
        table, mapping.protocol, mapping.internal_address, mapping.internal_port,
        mapping.remote_address, mapping.remote_port,
    )

cdef inline void set_scope(
    const NatTable* table, Mapping* wanted, Scope scope, uint32_t remote_address, uint16_t remote_port
) noexcept nogil:
    """Give a mapping that is wanted its scope, and as much of the remote endpoint as the scope reaches.

    Its internal endpoint is set: all is known that the bucket depends on where such a mapping is looked for.
    """
    wanted.scope = scope
    wanted.remote_address = wanted.remote_port = 0
    if scope == SCOPE_ADDRESS or scope == SCOPE_ADDRESS_AND_PORT:
        wanted.remote_address = remote_address
    if scope == SCOPE_ADDRESS_AND_PORT:
        wanted.remote_port = remote_port
    wanted.internal_bucket = internal_bucket(table, wanted)

cdef inline void open_mapping(Mapping* mapping) noexcept nogil:
    """Let filtering decide who comes in: its host has a session by it that no helper announced."""
    mapping.open = True

cdef inline bint is_open(const Mapping* mapping) noexcept nogil:
    return mapping.open

cdef inline uint32_t external_bucket(const NatTable* table, const Mapping* mapping) noexcept nogil:
    return external_mapping_bucket(
        table, mapping.protocol, mapping.external_address, mapping.external_port
    )

cdef inline uint32_t find_mapping(const NatTable* table, const Mapping* wanted) noexcept nogil:
    cdef uint32_t number = table.mapping_by_internal[wanted.internal_bucket]
    cdef const Mapping* mapping
    while number:
        mapping = &table.mappings[number]
        if (
            mapping.internal_address == wanted.internal_address
            and mapping.internal_port == wanted.internal_port
            and mapping.remote_address == wanted.remote_address
            and mapping.remote_port == wanted.remote_port
            and mapping.protocol == wanted.protocol and mapping.scope == wanted.scope
            and (
                realm_of_mapping(table, mapping) == wanted.realm if wanted.scope < SCOPE_STATIC
                else mapping.external_address == wanted.external_address
                and mapping.external_port == wanted.external_port
            )
        ):
            return number
        number = mapping.by_internal_next
    return 0

cdef inline uint32_t find_mapping_by_external(
    const NatTable* table, uint8_t protocol, uint32_t address, uint16_t port, bint forwarded
) noexcept nogil:
    """The mapping whose own this external endpoint is; `forwarded`: or one that a forward has there."""
    cdef uint32_t number = table.mapping_by_external[
        external_mapping_bucket(table, protocol, address, port)
    ]
    cdef const Mapping* mapping
    while number:
        mapping = &table.mappings[number]
        if (
            mapping.external_address == address and mapping.external_port == port
            and mapping.protocol == protocol and not mapping.borrows
            and (forwarded or mapping.scope < SCOPE_STATIC)
        ):
            return number
        number = mapping.by_external_next
    return 0

cdef inline void count_port(NatTable* table, const Mapping* mapping, int change) noexcept nogil:
    """Add `change` to the ports of the mapping's host if the mapping has one of a pool for itself.

    A port at an uplink that is away does not count: a share is of the ports that can be used.
    """
    if mapping.pool != NO_POOL and not mapping.borrows and not mapping.waits:
        table.hosts[mapping.host].ports[mapping.transport] += change

cdef inline void count_where_handed_out(NatTable* table, Mapping* mapping) noexcept nogil:
    """After a change of addresses: let the mapping's port count as long as its address is handed out."""
    cdef bint waits = not keeps_pool(table, mapping) or table.pool_realm[mapping.pool] == NO_REALM
    if mapping.waits != waits:
        count_port(table, mapping, -1)
        mapping.waits = waits
        count_port(table, mapping, 1)

cdef inline uint32_t begin_mapping(
    NatTable* table, const Mapping* wanted, uint32_t host, uint32_t now
) noexcept nogil:
    """A mapping without sessions; the caller begins its first, which links it.

    Its pool accounts for its port. Its external bucket is asked for: it arrives while the session is made.
    """
    cdef uint32_t number = table.mapping_free
    cdef Mapping* mapping
    if number:
        table.mapping_free = table.mappings[number].by_internal_next
    else:
        table.mapping_top += 1
        number = table.mapping_top
    mapping = &table.mappings[number]
    mapping[0] = wanted[0]
    mapping.sessions = 0
    mapping.created = now
    mapping.open = mapping.waits = False
    mapping.host = host
    mapping.external_bucket = external_bucket(table, mapping)
    ask_for(&table.mapping_by_external[mapping.external_bucket])
    table.hosts[host].mappings += 1
    table.mapping_count[mapping.transport] += 1
    table.static_mappings += mapping.scope >= SCOPE_STATIC
    table.borrowing += mapping.borrows
    count_port(table, mapping, 1)
    return number

cdef inline void link_mapping(NatTable* table, uint32_t number) noexcept nogil:
    """Let a mapping be found by its endpoints."""
    cdef Mapping* mapping = &table.mappings[number]
    cdef uint32_t* head = &table.mapping_by_internal[mapping.internal_bucket]
    mapping.by_internal_next = head[0]
    head[0] = number
    if mapping.transport != CLASS_OTHER:    # of portless ones only the sessions' remote addresses differ
        head = &table.mapping_by_external[mapping.external_bucket]
        mapping.by_external_next = head[0]
        head[0] = number

cdef inline bint is_beyond(const Rules* rules, const Mapping* mapping) noexcept nogil:
    """Has it a TCP or UDP port that is none of those handed out, and no forward's?"""
    cdef uint16_t port = ntohs(mapping.external_port)
    return (
        mapping.transport <= CLASS_UDP and mapping.scope < SCOPE_STATIC
        and not (rules.ports[mapping.transport][port >> 3] >> (port & 7)) & 1
    )

cdef inline bint hand_port_over(NatTable* table, const Mapping* mapping) noexcept nogil:
    """Give the port of a mapping that ends to one that borrows it. False: none does."""
    cdef uint32_t number = table.mapping_by_external[external_bucket(table, mapping)]
    cdef Mapping* heir
    while number:
        heir = &table.mappings[number]
        if (
            heir.borrows and heir.external_address == mapping.external_address
            and heir.external_port == mapping.external_port and heir.protocol == mapping.protocol
        ):
            heir.borrows = False
            table.borrowing -= 1
            count_port(table, heir, 1)
            return True
        number = heir.by_external_next
    return False

cdef inline void return_port(NatTable* table, Mapping* mapping, bint rests, uint32_t now) noexcept nogil:
    """Of a mapping that ends and is in no index any more."""
    count_port(table, mapping, -1)
    if mapping.borrows:
        table.borrowing -= 1
        return
    if mapping.scope < SCOPE_STATIC and table.borrowing and hand_port_over(table, mapping):
        return
    if keeps_pool(table, mapping):
        release_port(
            pool_of(table, mapping.pool, mapping.transport), ntohs(mapping.external_port), rests, now
        )

cdef inline void end_mapping(NatTable* table, uint32_t number, bint rests, uint32_t now) noexcept nogil:
    """End a mapping without sessions: its port goes back, its host goes with its last mapping.

    rests: the port goes into hold-down.
    """
    cdef Mapping* mapping = &table.mappings[number]
    cdef uint32_t* link = &table.mapping_by_internal[internal_bucket(table, mapping)]
    while link[0] != number:
        link = &table.mappings[link[0]].by_internal_next
    link[0] = mapping.by_internal_next
    if mapping.transport != CLASS_OTHER:
        link = &table.mapping_by_external[external_bucket(table, mapping)]
        while link[0] != number:
            link = &table.mappings[link[0]].by_external_next
        link[0] = mapping.by_external_next
    return_port(table, mapping, rests, now)
    table.beyond -= number <= table.looked and is_beyond(&table.rules, mapping)
    table.mapping_count[mapping.transport] -= 1
    table.static_mappings -= mapping.scope >= SCOPE_STATIC
    table.hosts[mapping.host].mappings -= 1
    if table.hosts[mapping.host].mappings == 0:
        end_host(table, mapping.host)
    mapping.by_internal_next = table.mapping_free
    table.mapping_free = number

# Pools: which external address has which pool of ports. A pool stays with its address.
#
# What is stored: for each pool, a number, the address whose ports it has; and for each external address that
# is handed out, its pool. A change of the policy gives new addresses a pool and leaves the others theirs, so
# no mapping has to be told. A pool whose address has gone keeps it until another address needs the pool:
# the address may come back, and finds its ports and hold-downs as they were.
# Who writes: give_pools, when a policy comes; recover, at the start. What ends the place of an address: the
# need of another one. It takes the pool that loses the least by it: one without ports in use or in hold-down,
# then a fresh one, then one with hold-downs, then one with ports in use. The pool of an external address is
# never taken. Fresh ones do not come first: an address a day would come to have the memory of all pools.
#
# There are as many pools as external addresses. So a mapping may have a pool that another address has got
# meanwhile. Its session ends as the policy is settled (sessions), and its port goes back to nobody.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.capacity cimport MOST_EXTERNAL_ADDRESSES
from nfmasq._hot.state.ports cimport PortPool, empty_pool, has_hold_downs
from nfmasq._hot.state.rules cimport external_index, is_external
from nfmasq._hot.state.table cimport NO_POOL, Mapping, NatTable, pool_of
from nfmasq._hot.state.uplinks cimport NO_REALM

cdef enum Loss:              # of an address that gives its pool up
    LOSES_NOTHING
    LOSES_HOLD_DOWNS
    LOSES_PORTS

cdef inline bint keeps_pool(const NatTable* table, const Mapping* mapping) noexcept nogil:
    """Has the mapping a pool, and the pool still the mapping's address?"""
    return mapping.pool != NO_POOL and table.pool_address[mapping.pool] == mapping.external_address

cdef inline uint8_t realm_of_mapping(const NatTable* table, const Mapping* mapping) noexcept nogil:
    """The realm of its external address under this policy, or NO_REALM."""
    cdef int external
    if keeps_pool(table, mapping):
        return table.pool_realm[mapping.pool]
    external = external_index(&table.rules, mapping.external_address)
    return table.rules.realm_of[external] if external >= 0 else <uint8_t>NO_REALM

cdef inline uint16_t find_pool(const NatTable* table, uint32_t address) noexcept nogil:
    cdef uint32_t pool
    for pool in range(table.pool_count):
        if table.pool_address[pool] == address:
            return <uint16_t>pool
    return NO_POOL

cdef inline uint16_t begin_pool(NatTable* table, uint16_t pool, uint32_t address) noexcept nogil:
    """Give the pool to an address that has none in use."""
    cdef int transport
    for transport in range(3):
        empty_pool(pool_of(table, pool, <uint8_t>transport), table.rules.ports[transport])
    table.pool_address[pool] = address
    table.pool_count = max(table.pool_count, <uint32_t>pool + 1)
    return pool

cdef inline Loss loss_of(NatTable* table, uint16_t number, uint32_t now) noexcept nogil:
    """What the pool's address would lose with it."""
    cdef const PortPool* pool
    cdef Loss loss = LOSES_NOTHING
    cdef int transport
    for transport in range(3):
        pool = pool_of(table, number, <uint8_t>transport)
        if pool.in_use:
            return LOSES_PORTS
        if has_hold_downs(pool, now):
            loss = LOSES_HOLD_DOWNS
    return loss

cdef inline uint16_t spare_pool(NatTable* table, Loss loss, uint32_t now) noexcept nogil:
    """A pool that no external address has and that loses this, or NO_POOL."""
    cdef uint16_t pool
    for pool in range(<uint16_t>table.pool_count):
        if loss_of(table, pool, now) == loss and not is_external(&table.rules, table.pool_address[pool]):
            return pool
    return NO_POOL

cdef inline uint16_t recover_pool(NatTable* table, uint32_t address) noexcept nogil:
    """The pool of a recovered mapping's address; NO_POOL: there are more addresses than a policy can have."""
    cdef uint16_t pool = find_pool(table, address)
    if pool != NO_POOL or table.pool_count == MOST_EXTERNAL_ADDRESSES:
        return pool
    return begin_pool(table, <uint16_t>table.pool_count, address)

cdef inline uint16_t want_pool(NatTable* table, uint32_t address, uint32_t now) noexcept nogil:
    """The pool of an address that is handed out: the one it has, or else one that no other needs."""
    cdef uint16_t pool = find_pool(table, address)
    if pool != NO_POOL:
        return pool
    pool = spare_pool(table, LOSES_NOTHING, now)
    if pool == NO_POOL and table.pool_count < MOST_EXTERNAL_ADDRESSES:
        pool = <uint16_t>table.pool_count
    if pool == NO_POOL:
        pool = spare_pool(table, LOSES_HOLD_DOWNS, now)
    if pool == NO_POOL:
        pool = spare_pool(table, LOSES_PORTS, now)
    return begin_pool(table, pool, address)

cdef inline void give_pools(NatTable* table, uint32_t now) noexcept nogil:
    """Give every address that is handed out a pool, and the pool its realm, under a policy that has come."""
    cdef uint32_t external
    cdef uint16_t pool
    for pool in range(<uint16_t>table.pool_count):
        table.pool_realm[pool] = NO_REALM
    for external in range(table.rules.pooled_count):
        pool = want_pool(table, table.rules.external[external], now)
        table.pool_at[external] = pool
        table.pool_realm[pool] = table.rules.realm_of[external]

# Govern: a new policy takes over the table; sessions of an address that is gone end.

from libc.stdint cimport uint16_t, uint32_t

from nfmasq._hot.state.packet cimport CLASS_OTHER
from nfmasq._hot.state.ports cimport renew_pool, take_mapped
from nfmasq._hot.state.rules cimport Rules
from nfmasq._hot.state.sessions cimport end_session
from nfmasq._hot.state.table cimport NO_POOL, SCOPE_STATIC, Mapping, NatTable, pool_of
from nfmasq._hot.wire.wire cimport ntohs

cdef inline int external_index(const Rules* rules, uint32_t address) noexcept nogil:
    cdef uint32_t i
    for i in range(rules.external_count):
        if rules.external[i] == address:
            return <int>i
    return -1

cdef inline uint32_t end_lost_sessions(NatTable* table, uint32_t now) noexcept nogil:
    """End the sessions whose external address is no longer ours; return how many."""
    cdef uint32_t ended = 0
    cdef uint32_t number
    for number in range(1, table.top[0] + 1):
        if table.sessions[number].live and external_index(
            &table.rules, table.sessions[number].external_address
        ) < 0:
            end_session(table, number, now)
            ended += 1
    return ended

cdef inline void fill_pools(NatTable* table) noexcept nogil:
    """Make every pool anew from the port range less the mappings' own."""
    cdef Mapping* mapping
    cdef uint32_t number
    cdef int external
    for number in range(table.rules.pooled_count * 3):
        renew_pool(
            &table.pools[number], table.rules.external[number // 3],
            table.rules.first_port, table.rules.last_port,
        )
    for number in range(1, table.mapping_top + 1):
        mapping = &table.mappings[number]
        external = external_index(&table.rules, mapping.external_address)
        if (
            mapping.sessions and mapping.transport != CLASS_OTHER and mapping.scope < SCOPE_STATIC
            and 0 <= external < <int>table.rules.pooled_count
        ):
            mapping.pool = <uint16_t>external
            take_mapped(pool_of(table, mapping.pool, mapping.transport), ntohs(mapping.external_port))

cdef inline bint same_pools(const Rules* old, const Rules* new) noexcept nogil:
    cdef uint32_t i
    if (
        old.external_count != new.external_count or old.pooled_count != new.pooled_count
        or old.first_port != new.first_port or old.last_port != new.last_port
    ):
        return False
    for i in range(old.external_count):
        if old.external[i] != new.external[i]:
            return False
    return True

cdef inline uint32_t govern(NatTable* table, const Rules* rules, uint32_t now) noexcept nogil:
    """Let `rules` hold from the next packet on; return how many sessions ended with a lost address."""
    cdef bint pools_stay = same_pools(&table.rules, rules)
    cdef uint32_t number
    cdef uint32_t ended = 0
    table.rules = rules[0]
    if not pools_stay:
        for number in range(1, table.mapping_top + 1):
            table.mappings[number].pool = NO_POOL     # a port goes back to no pool that is being made anew
        if rules.external_count:        # else the old address may still come back
            ended = end_lost_sessions(table, now)
        fill_pools(table)
    return ended

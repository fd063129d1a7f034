# Govern: a new policy takes over the table; sessions of an address that is gone end.
#
# They end once their uplink hands out an address again, or has gone itself: until then the address may come
# back. An address that another program keeps on the interface is none of those.

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcmp

from nfmasq._hot.state.evictable cimport renew_lines
from nfmasq._hot.state.mappings cimport count_port
from nfmasq._hot.state.packet cimport CLASS_OTHER
from nfmasq._hot.state.ports cimport renew_pool, take_mapped
from nfmasq._hot.state.rules cimport Rules, external_index, uplink_of_address
from nfmasq._hot.state.sessions cimport end_session
from nfmasq._hot.state.table cimport NO_POOL, SCOPE_STATIC, Mapping, NatTable, Session, pool_of
from nfmasq._hot.state.uplinks cimport NO_REALM, NO_UPLINK
from nfmasq._hot.wire.wire cimport ntohs

cdef inline bint is_lost(const Rules* rules, const Session* session) noexcept nogil:
    """Has its address gone for good? It may come back to an uplink that hands out none at the moment."""
    return session.uplink >= rules.uplink_count or rules.uplinks[session.uplink].realm != NO_REALM

cdef inline uint32_t assign_sessions(NatTable* table, uint32_t now) noexcept nogil:
    """Tell each session its uplink; end those whose address is lost, and return how many."""
    cdef uint32_t ended = 0
    cdef uint32_t number
    cdef uint32_t uplink
    for number in range(1, table.top[0] + 1):
        if not table.sessions[number].live:
            continue
        uplink = uplink_of_address(&table.rules, table.sessions[number].external_address)
        if uplink != NO_UPLINK:
            table.sessions[number].uplink = <unsigned char>uplink
        elif is_lost(&table.rules, &table.sessions[number]):
            end_session(table, number, now)
            ended += 1
    return ended

cdef inline void fill_pools(NatTable* table) noexcept nogil:
    """Make every pool anew from the port range less the mappings' own, and tell each mapping its realm."""
    cdef Mapping* mapping
    cdef uint32_t number
    cdef int external
    for number in range(table.rules.pooled_count * 3):
        renew_pool(
            &table.pools[number], table.rules.external[number // 3], table.rules.ports[number % 3]
        )
    for number in range(1, table.mapping_top + 1):
        mapping = &table.mappings[number]
        if not mapping.sessions:
            continue
        external = external_index(&table.rules, mapping.external_address)
        mapping.realm = table.rules.realm_of[external] if external >= 0 else <unsigned char>NO_REALM
        if (
            mapping.transport != CLASS_OTHER and mapping.scope < SCOPE_STATIC
            and 0 <= external < <int>table.rules.pooled_count
        ):
            mapping.pool = <uint16_t>external
            count_port(table, mapping, 1)
            if not mapping.borrows:
                take_mapped(pool_of(table, mapping.pool, mapping.transport), ntohs(mapping.external_port))

cdef inline bint same_pools(const Rules* old, const Rules* new) noexcept nogil:
    """Do all addresses, realms and ports stay? An uplink's interface may be another."""
    return (
        old.uplink_count == new.uplink_count and old.external_count == new.external_count
        and old.pooled_count == new.pooled_count and old.realm_count == new.realm_count
        and memcmp(old.external, new.external, sizeof(old.external)) == 0
        and memcmp(old.uplink_of, new.uplink_of, sizeof(old.uplink_of)) == 0
        and memcmp(old.realm_of, new.realm_of, sizeof(old.realm_of)) == 0
        and memcmp(old.realms, new.realms, sizeof(old.realms)) == 0
        and memcmp(old.ports, new.ports, sizeof(old.ports)) == 0
    )

cdef inline uint32_t govern(NatTable* table, const Rules* rules, uint32_t now) noexcept nogil:
    """Let `rules` hold from the next packet on; return how many sessions ended with a lost address."""
    cdef bint pools_stay = same_pools(&table.rules, rules)
    cdef uint32_t number
    cdef uint32_t ended = 0
    table.rules = rules[0]
    if not pools_stay:
        for number in range(1, table.mapping_top + 1):
            if table.mappings[number].sessions:
                count_port(table, &table.mappings[number], -1)
            table.mappings[number].pool = NO_POOL     # a port goes back to no pool that is being made anew
        if rules.external_count:        # else the old address may still come back
            ended = assign_sessions(table, now)
        fill_pools(table)
        renew_lines(table)
    return ended

# Govern: a new policy takes over the table; sessions of an address that is gone end.
#
# They end once their uplink hands out an address again, or has gone itself: until then the address may come
# back. An address that another program keeps on the interface is none of those. Sessions by which the default
# host gets what a tunnel of the router takes by now end as well.
#
# The policy holds from the moment `govern` has taken it over. Mappings are read in the same moment, one after
# the other in memory. A million sessions take too long for that: the caller settles them in steps, and lets
# the workers in between. A packet whose session has not had its turn settles it (appear). Meanwhile no policy
# has a single uplink, so that every packet with a session looks.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memset

from nfmasq._hot.state.evictable cimport renew_lines
from nfmasq._hot.state.mappings cimport count_port, is_beyond
from nfmasq._hot.state.packet cimport CLASS_OTHER
from nfmasq._hot.state.ports cimport renew_pool, take_mapped
from nfmasq._hot.state.rules cimport BITMAP_BYTES, Rules, external_index
from nfmasq._hot.state.sessions cimport settle
from nfmasq._hot.state.table cimport NO_POOL, SCOPE_STATIC, Mapping, NatTable, pool_of
from nfmasq._hot.state.uplinks cimport NO_REALM
from nfmasq._hot.wire.wire cimport ntohs

cdef enum:
    ALL_SETTLED = 0xFFFFFFFF

cdef inline void note_beyond(NatTable* table, const Mapping* mapping) noexcept nogil:
    """Count a mapping whose port is not handed out any more."""
    cdef uint16_t port = ntohs(mapping.external_port)
    if is_beyond(&table.rules, mapping):
        table.beyond += 1
        table.beyond_ports[port >> 3] |= <uint8_t>(1 << (port & 7))

cdef inline void fill_pools(NatTable* table) noexcept nogil:
    """Make every pool anew from the port range less the mappings' own, and tell each mapping its realm."""
    cdef Mapping* mapping
    cdef uint32_t number
    cdef int external
    for number in range(table.rules.pooled_count * 3):
        renew_pool(
            &table.pools[number], table.rules.external[number // 3], table.rules.ports[number % 3]
        )
    table.beyond = 0
    memset(table.beyond_ports, 0, BITMAP_BYTES)
    for number in range(1, table.mapping_top + 1):
        mapping = &table.mappings[number]
        if not mapping.sessions:
            continue
        external = external_index(&table.rules, mapping.external_address)
        mapping.realm = table.rules.realm_of[external] if external >= 0 else <unsigned char>NO_REALM
        count_port(table, mapping, -1)
        mapping.pool = NO_POOL
        note_beyond(table, mapping)
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

cdef inline void govern(NatTable* table, const Rules* rules) noexcept nogil:
    """Let `rules` hold from the next packet on. Sessions that must be settled are left to settle_some."""
    cdef bint pools_stay = same_pools(&table.rules, rules)
    cdef bint own_stay = (
        table.rules.own_count == rules.own_count
        and memcmp(table.rules.own, rules.own, sizeof(rules.own)) == 0
    )
    table.rules = rules[0]
    table.lost = 0
    table.settled = ALL_SETTLED
    if not pools_stay:
        fill_pools(table)
        renew_lines(table)
    elif own_stay:
        return
    if rules.external_count:            # else the old address may still come back
        table.settled = 0
        table.rules.single = False

cdef inline bint settle_some(NatTable* table, uint32_t most, uint32_t now, bint single) noexcept nogil:
    """Settle the next sessions, `most` records. False: they were the last, and a policy may be `single`."""
    cdef uint32_t number
    cdef uint32_t end
    if table.settled != ALL_SETTLED:
        end = min(table.top[0], table.settled + most)
        for number in range(table.settled + 1, end + 1):
            if table.sessions[number].live:
                settle(table, number, now)
        table.settled = end
        if end < table.top[0]:
            return True
        table.settled = ALL_SETTLED
    table.rules.single = single
    return False

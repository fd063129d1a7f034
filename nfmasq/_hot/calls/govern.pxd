# Govern: a new policy takes over the table; sessions of an address that is gone end.
#
# They end once their uplink hands out an address again, or has gone itself: until then the address may come
# back. An address that another program keeps on the interface is none of those. Sessions by which the default
# host gets what a tunnel of the router takes by now end as well.
#
# The policy holds from the moment `govern` has taken it over. A pool of ports stays with its address
# (pools), so nothing is told to the mappings. Five things need a look at every record: which ports are in
# use beyond the range, which ports count for their hosts, which sessions have lost their address, which
# timers were set by other timeouts, and which sessions get a helper that has come. The caller has that done
# in steps. A packet whose session has not had its turn settles it (appear). Meanwhile no policy has a
# single uplink, so that every packet with a session looks.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memset

from nfmasq._hot.state.mappings cimport count_where_handed_out, is_beyond
from nfmasq._hot.state.pools cimport give_pools
from nfmasq._hot.state.rules cimport BITMAP_BYTES, Rules, Timeouts
from nfmasq._hot.state.sessions cimport settle
from nfmasq._hot.state.table cimport PAST_TIMEOUTS, SETTLED, Mapping, NatTable
from nfmasq._hot.wire.wire cimport ntohs

cdef enum:
    ALL = 0xFFFFFFFF         # records: none waits for its turn

cdef inline bint same_addresses(const Rules* old, const Rules* new) noexcept nogil:
    """Do all addresses and realms stay? An uplink's interface may be another."""
    return (
        old.uplink_count == new.uplink_count and old.external_count == new.external_count
        and old.pooled_count == new.pooled_count and old.realm_count == new.realm_count
        and memcmp(old.external, new.external, sizeof(old.external)) == 0
        and memcmp(old.uplink_of, new.uplink_of, sizeof(old.uplink_of)) == 0
        and memcmp(old.realm_of, new.realm_of, sizeof(old.realm_of)) == 0
        and memcmp(old.realms, new.realms, sizeof(old.realms)) == 0
    )

cdef inline bint same_own(const Rules* old, const Rules* new) noexcept nogil:
    return old.own_count == new.own_count and memcmp(old.own, new.own, sizeof(old.own)) == 0

cdef inline bint same_helpers(const Rules* old, const Rules* new) noexcept nogil:
    return (
        old.helper_port_count == new.helper_port_count
        and memcmp(old.helper_ports, new.helper_ports, sizeof(old.helper_ports)) == 0
        and memcmp(old.helper_networks, new.helper_networks, sizeof(old.helper_networks)) == 0
    )

cdef inline void keep_timeouts(NatTable* table, const Timeouts* new) noexcept nogil:
    """Keep the timeouts that held so far where others come: sessions have timers by them."""
    table.outdated = 0
    if table.rules.behaviour_count and memcmp(&table.rules.timeouts, new, sizeof(Timeouts)) != 0:
        table.outdated = <uint8_t>(table.timeouts_changed % PAST_TIMEOUTS + 1)
        table.past_timeouts[0] = table.past_timeouts[table.outdated]
        table.past_timeouts[table.outdated] = table.rules.timeouts
        table.timeouts_changed += 1

cdef inline void renew_ports(NatTable* table) noexcept nogil:
    """Let every pool be filled anew from the range that has come."""
    cdef uint32_t number
    for number in range(table.pool_count * 3):
        table.pools[number].filled = False

cdef inline void look_anew(NatTable* table) noexcept nogil:
    """Let look_at find the ports beyond the range, and those that count, from the first mapping on."""
    table.beyond = table.looked = 0
    memset(table.beyond_ports, 0, BITMAP_BYTES)

cdef inline void govern(NatTable* table, const Rules* rules, uint32_t now) noexcept nogil:
    """Let `rules` hold from the next packet on. What must be looked at is left to settle_some."""
    cdef bint addresses_stay = same_addresses(&table.rules, rules)
    cdef bint ports_stay = memcmp(table.rules.ports, rules.ports, sizeof(rules.ports)) == 0
    cdef bint own_stay = same_own(&table.rules, rules)
    table.helped_anew = not same_helpers(&table.rules, rules)
    keep_timeouts(table, &rules.timeouts)
    table.rules = rules[0]
    table.lost = 0
    table.settled = table.looked = ALL
    if not addresses_stay:
        give_pools(table, now)
    if not ports_stay:
        renew_ports(table)
    if not (addresses_stay and ports_stay):
        look_anew(table)
    if table.outdated or table.helped_anew or rules.external_count and not (addresses_stay and own_stay):
        table.settled = 0
        table.rules.single = False

cdef inline void look_at(NatTable* table, uint32_t number) noexcept nogil:
    """Count the mapping's port for its host, or not, and among those that are not handed out any more."""
    cdef Mapping* mapping = &table.mappings[number]
    cdef uint16_t port = ntohs(mapping.external_port)
    if mapping.sessions == 0:
        return
    count_where_handed_out(table, mapping)
    if is_beyond(&table.rules, mapping):
        table.beyond += 1
        table.beyond_ports[port >> 3] |= <uint8_t>(1 << (port & 7))

cdef inline bint look_at_some(NatTable* table, uint32_t most) noexcept nogil:
    """Look at the next mappings. False: none is left."""
    cdef uint32_t number
    cdef uint32_t end
    if table.looked >= table.mapping_top:
        table.looked = ALL
        return False
    end = min(table.mapping_top, table.looked + most)
    for number in range(table.looked + 1, end + 1):
        look_at(table, number)
    table.looked = end
    return True

cdef inline bint settle_some(NatTable* table, uint32_t most, uint32_t now, bint single) noexcept nogil:
    """Look at the next `most` records. False: they were the last, and a policy may be `single`."""
    cdef uint32_t number
    cdef uint32_t end
    if look_at_some(table, most):
        return True
    if table.settled < table.top[0]:
        end = min(table.top[0], table.settled + most)
        for number in range(table.settled + 1, end + 1):
            if table.sessions[number].live and settle(table, number, now):
                table.sessions[number].flags &= <unsigned char>~SETTLED
        table.settled = end
        if end < table.top[0]:
            return True
    table.settled = ALL
    table.outdated = table.helped_anew = 0
    table.rules.single = single
    return False

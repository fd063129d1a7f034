# Row: external ports in a row that are free, for a helper that announces several together.
#
# The pool is looked through from a random port of its range on, so a row is found if there is one. Nothing is
# taken: each port is announced afterwards, by its number. The caller holds the table's lock.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from nfmasq._hot.state.mappings cimport find_host, find_mapping, find_mapping_by_external
from nfmasq._hot.state.packet cimport OUTBOUND, Packet
from nfmasq._hot.state.ports cimport PRIVILEGED, PortPool, end_hold_downs, has_bit, nth_port, read_busy
from nfmasq._hot.state.rules cimport BITMAP_BYTES, is_assignable
from nfmasq._hot.state.table cimport NO_POOL, Mapping, NatTable, pool_of, random_word
from nfmasq._hot.way.pairing cimport want_outbound
from nfmasq._hot.wire.wire cimport htons, ntohs

cdef enum:
    PORTS = 65536
    WORD = 64                # ports of a bitmap that are looked at together
    WORDS = 1024             # of a bitmap

cdef inline bint is_free_row(
    const NatTable* table, const Mapping* wanted, const uint64_t* free, uint32_t first, uint32_t count
) noexcept nogil:
    cdef uint32_t port
    if first + count > PORTS:
        return False
    for port in range(first, first + count):
        if not has_bit(<const uint8_t*>free, <uint16_t>port) or not is_assignable(
            &table.rules, wanted.transport, <uint16_t>port
        ):
            return False
    if table.static_mappings:
        for port in range(first, first + count):
            if find_mapping_by_external(
                table, wanted.protocol, wanted.external_address, htons(<uint16_t>port), True
            ):
                return False
    return True

cdef inline uint16_t row_from(
    const NatTable* table, const Mapping* wanted, const uint64_t* free,
    uint32_t start, uint32_t count, bint even,
) noexcept nogil:
    """The first row from a port on, and around the end; 0: there is none. even: its first port is."""
    cdef uint32_t i = 0
    cdef uint32_t first
    while i < PORTS:
        first = (start + i) % PORTS
        if not free[first / WORD]:
            i += WORD - first % WORD
            continue
        i += 1
        if not (even and first & 1) and is_free_row(table, wanted, free, first, count):
            return <uint16_t>first
    return 0

cdef inline void read_free(const PortPool* pool, uint64_t* free) noexcept nogil:
    """Write the ports that may be in a row as a bitmap: no privileged ones if there are others."""
    cdef uint64_t[WORDS] busy
    cdef uint32_t i
    read_busy(pool, <uint8_t*>busy)
    memcpy(free, pool.range, BITMAP_BYTES)
    for i in range(WORDS):
        free[i] &= ~busy[i]
    if not pool.all_privileged:
        memset(free, 0, PRIVILEGED // 8)

cdef inline uint16_t search_row(
    NatTable* table, const Mapping* wanted, uint32_t count, uint32_t now
) noexcept nogil:
    """From a random port of the range on. An even number of ports begins with an even one.

    More than two begin with an odd port where there is no other row.
    """
    cdef PortPool* pool = pool_of(table, wanted.pool, wanted.transport)
    cdef uint64_t[WORDS] free
    cdef uint32_t start
    cdef uint16_t first
    end_hold_downs(pool, now)
    if not pool.size:
        return 0
    read_free(pool, free)
    start = nth_port(pool, random_word(table) % pool.size)
    first = row_from(table, wanted, free, start, count, count % 2 == 0)
    if not first and count > 2 and count % 2 == 0:
        first = row_from(table, wanted, free, start, count, False)
    return first

cdef inline uint16_t find_row(NatTable* table, Packet* packet, uint32_t count, uint32_t now) noexcept nogil:
    """The first of so many free ports (host order) for the packet's internal endpoint and those after it.

    0: there is no such row. Of two ports the first one is even (RFC 3550 section 11). An endpoint that has a
    mapping already, or a forward, has no choice.
    """
    cdef uint32_t host = find_host(table, packet.near_address)
    cdef uint32_t number = 0
    cdef Mapping wanted
    packet.direction = OUTBOUND
    if not want_outbound(table, packet, host, &wanted):
        return 0
    if host:
        number = find_mapping(table, &wanted)
    if number:
        return ntohs(table.mappings[number].external_port)
    if wanted.pool == NO_POOL:
        return ntohs(wanted.external_port)
    return search_row(table, &wanted, count, now)

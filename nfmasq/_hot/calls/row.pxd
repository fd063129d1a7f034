# Row: external ports in a row that are free, for a helper that announces several together.
#
# The pool is looked through from a random port on, so a row is found if there is one. Nothing is taken: each
# port is announced afterwards, by its number. The caller holds the table's lock.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.mappings cimport find_host, find_mapping, find_mapping_by_external
from nfmasq._hot.state.packet cimport OUTBOUND, Packet
from nfmasq._hot.state.ports cimport PRIVILEGED, PortPool, end_hold_downs, has_bit, read_busy
from nfmasq._hot.state.rules cimport BITMAP_BYTES, is_assignable
from nfmasq._hot.state.table cimport NO_POOL, Mapping, NatTable, pool_of, random_word
from nfmasq._hot.way.pairing cimport want_outbound
from nfmasq._hot.wire.wire cimport htons, ntohs

cdef enum:
    PORTS = 65536

cdef inline bint is_free_row(
    const NatTable* table, const Mapping* wanted, const uint8_t* busy, uint32_t first, uint32_t count
) noexcept nogil:
    cdef uint32_t port
    if first + count > PORTS:
        return False
    for port in range(first, first + count):
        if has_bit(busy, <uint16_t>port) or not is_assignable(
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

cdef inline uint16_t search_row(
    NatTable* table, const Mapping* wanted, uint32_t count, uint32_t now
) noexcept nogil:
    cdef PortPool* pool = pool_of(table, wanted.pool, wanted.transport)
    cdef uint8_t[BITMAP_BYTES] busy
    cdef uint32_t start = <uint32_t>random_word(table)
    cdef uint32_t i, first
    end_hold_downs(pool, now)
    read_busy(pool, busy)
    for i in range(PORTS):
        first = (start + i) % PORTS
        if count == 2 and first & 1 or first < PRIVILEGED and not pool.all_privileged:
            continue
        if is_free_row(table, wanted, busy, first, count):
            return <uint16_t>first
    return 0

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

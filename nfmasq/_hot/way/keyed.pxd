# Keyed: a packet has a key that tells sessions apart, if a helper has announced it; else it has none.

from libc.stdint cimport uint32_t

from nfmasq._hot.base.likelihood cimport seldom
from nfmasq._hot.state.keys cimport has_key
from nfmasq._hot.state.packet cimport Packet
from nfmasq._hot.state.table cimport NatTable, tuple_bucket
from nfmasq._hot.way.appear cimport stays_with_uplink
from nfmasq._hot.way.expect cimport is_meant
from nfmasq._hot.way.lookup cimport lookup

cdef inline void forget_key(NatTable* table, Packet* packet) noexcept nogil:
    """Let the packet be known by its addresses alone."""
    packet.near_port = packet.remote_port = 0
    packet.expected = 0
    packet.bucket = tuple_bucket(
        table, packet.protocol, packet.near_address, 0, packet.remote_address, 0
    )

cdef inline bint look_by_addresses(NatTable* table, Packet* packet) noexcept nogil:
    """look_without_key, of a packet with a key."""
    if packet.expected and is_meant(table, packet.expected):
        return False
    forget_key(table, packet)
    return lookup(table, packet)

cdef inline bint look_without_key(NatTable* table, Packet* packet) noexcept nogil:
    """After a lookup that has found no session: is there one of the addresses alone?

    A packet that was announced by its key keeps it, and begins its session.
    """
    return seldom(has_key(packet)) and look_by_addresses(table, packet)

cdef inline bint find_without_key(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """As look_without_key, unless the packet leaves by another uplink: then its way has ended, or none is."""
    return look_without_key(table, packet) and (
        table.rules.single or stays_with_uplink(table, packet, now)
    )

# Keyed: a packet has a key that tells sessions apart, if a helper has announced it; else it has none.

from nfmasq._hot.base.likelihood cimport seldom
from nfmasq._hot.state.index cimport find_by_external, find_by_internal
from nfmasq._hot.state.keys cimport has_key
from nfmasq._hot.state.packet cimport INBOUND, Packet
from nfmasq._hot.state.table cimport NatTable, tuple_bucket
from nfmasq._hot.way.expect cimport is_meant

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
    if packet.direction != INBOUND:
        packet.session = find_by_internal(
            table, packet.protocol, packet.near_address, 0, packet.remote_address, 0
        )
    else:
        packet.session = find_by_external(
            table, packet.protocol, packet.near_address, 0, packet.remote_address, 0
        )
    return packet.session != 0

cdef inline bint look_without_key(NatTable* table, Packet* packet) noexcept nogil:
    """After a lookup that has found no session: is there one of the addresses alone?

    A packet that was announced by its key keeps it, and begins its session.
    """
    return seldom(has_key(packet)) and look_by_addresses(table, packet)

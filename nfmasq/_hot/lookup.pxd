# Lookup: the session a packet belongs to.

from nfmasq._hot.packet cimport INBOUND, Packet
from nfmasq._hot.sessions cimport find_by_external, find_by_internal
from nfmasq._hot.table cimport NatTable

cdef inline bint lookup(const NatTable* table, Packet* packet) noexcept nogil:
    """False: there is none, and the packet may ask to be admitted."""
    if packet.direction != INBOUND:
        packet.session = find_by_internal(
            table, packet.protocol,
            packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
        )
    else:
        packet.session = find_by_external(
            table, packet.protocol,
            packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
        )
    return packet.session != 0

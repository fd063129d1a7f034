# Lookup: the session a packet belongs to.

from nfmasq._hot.packet cimport INBOUND, Packet
from nfmasq._hot.sessions cimport find_by_external_at, find_by_internal_at
from nfmasq._hot.table cimport EXPECTED, NatTable

cdef inline bint lookup(const NatTable* table, Packet* packet) noexcept nogil:
    """False: there is none, and the packet may ask to be admitted. Its bucket is known already.

    While the uplink has no address no session is of any use, but they wait for it to come back.
    """
    if table.rules.external_count == 0:
        return False
    if packet.direction != INBOUND:
        packet.session = find_by_internal_at(
            table, packet.bucket, packet.protocol,
            packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
        )
    else:
        packet.session = find_by_external_at(
            table, packet.bucket, packet.protocol,
            packet.near_address, packet.near_port, packet.remote_address, packet.remote_port,
        )
    if table.expected and packet.session and table.sessions[packet.session].flags & EXPECTED:
        packet.expected = packet.session         # the one it was announced as: admitted, or not, like a first
        packet.session = 0
    return packet.session != 0

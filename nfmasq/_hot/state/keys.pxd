# Keys: what sessions of a protocol without ports are told apart by, where a helper has announced it.
#
# A packet carries the key of its receiver alone (GRE's call id). So each direction is a session of its own,
# and has a mapping of its own. Such a keyed session has its key in place of its near end's port:
#   INWARD    internal host with its own key, external address with the key that the remote host sends
#   OUTWARD   internal and external address, both with the remote host's key, which no packet changes
# The direction stands in place of the remote port, so that the two never meet in an index. Every other
# session of a protocol without ports has 0 there. The key 0 is a key.
#
# Who begins one: announce_key, as an expectation; a packet fulfils it. What ends it: as any session's.

from libc.stdint cimport uint8_t, uint16_t

from nfmasq._hot.state.packet cimport CLASS_OTHER, Packet
from nfmasq._hot.state.table cimport Session

cdef enum:                   # the same in either byte order
    INWARD = 0x0101
    OUTWARD = 0x0202

cdef inline uint16_t other_way(uint16_t way) noexcept nogil:
    """OUTWARD of INWARD, and INWARD of OUTWARD."""
    return way ^ <uint16_t>(INWARD ^ OUTWARD)

cdef inline bint is_way(uint16_t way) noexcept nogil:
    return way == INWARD or way == OUTWARD

cdef inline bint has_key(const Packet* packet) noexcept nogil:
    """Is the packet, or the one that it quotes, known by its key?"""
    return packet.transport == CLASS_OTHER and packet.remote_port != 0

cdef inline bint is_keyed(const Session* session) noexcept nogil:
    return session.transport == CLASS_OTHER and session.remote_port != 0

# Traffic: packets and bytes of a session, counted in 48 bits to leave room in its record.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from nfmasq._hot.state.packet cimport OUTBOUND
from nfmasq._hot.state.table cimport Session, Traffic

cdef inline void count_packet(Traffic* traffic, uint8_t direction, uint32_t length) noexcept nogil:
    traffic.packets[direction] += 1
    traffic.more_packets[direction] += traffic.packets[direction] == 0
    traffic.bytes[direction] += length
    traffic.more_bytes[direction] += traffic.bytes[direction] < length

cdef inline uint64_t packets_of(const Traffic* traffic, uint8_t direction) noexcept nogil:
    return <uint64_t>traffic.more_packets[direction] << 32 | traffic.packets[direction]

cdef inline uint64_t bytes_of(const Traffic* traffic, uint8_t direction) noexcept nogil:
    return <uint64_t>traffic.more_bytes[direction] << 32 | traffic.bytes[direction]

cdef inline bint is_answered(const Session* session) noexcept nogil:
    """Has a packet from inside been in it?"""
    return packets_of(&session.traffic, OUTBOUND) != 0

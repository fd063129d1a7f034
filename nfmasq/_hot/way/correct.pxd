# Correct: the sequence numbers of a connection in which a helper has made messages longer or shorter.
#
# While the helper reads, its own record of every correction says what each number becomes. Once all of them
# have been acknowledged, one difference a side is exact: a segment of before is old to its receiver whatever
# its text. That difference is in the session, so that it outlives the helper and the process.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from nfmasq._hot.state.packet cimport CLASS_TCP, ICMP_ERROR, INBOUND, OUTBOUND, Packet
from nfmasq._hot.state.sequence cimport is_about_syn
from nfmasq._hot.state.table cimport Session
from nfmasq._hot.wire.checksum cimport difference, lane, update_check
from nfmasq._hot.wire.tcpoptions cimport ANY_LENGTH, TCP_OPTION_SACK, find_option
from nfmasq._hot.wire.wire cimport ACK, TcpHeader, htonl, ntohl, tcp_header_length

cdef enum:
    SEQUENCE = 0             # indexes of Packet.shift
    ACKNOWLEDGMENT = 1
    SACK_EDGES = 2           # bytes of the option before the first edge

cdef inline void learn_correction(Packet* packet, const Session* session) noexcept nogil:
    """Add the session's difference to the packet's numbers, or to its quoted segment's.

    A hairpinned packet gets that of both its sessions.
    """
    cdef int side = INBOUND if packet.direction == INBOUND else OUTBOUND
    cdef uint32_t own = <uint32_t>session.correction[side]
    cdef uint32_t other = <uint32_t>session.correction[1 - side]
    cdef TcpHeader* tcp = <TcpHeader*>packet.l4
    if packet.transport != CLASS_TCP or own | other == 0:
        return
    if packet.kind == ICMP_ERROR:            # quotes a segment of the other side: back to what that sent
        packet.shift[SEQUENCE] -= other
        packet.shift[ACKNOWLEDGMENT] += own
    elif session.helper or is_about_syn(session, side, packet.tcp_flags, ntohl(tcp.acknowledgment)):
        return
    else:
        packet.shift[SEQUENCE] += own
        packet.shift[ACKNOWLEDGMENT] -= other
    packet.corrected = True

cdef inline void shift_number(TcpHeader* tcp, uint8_t* field, uint32_t shift, bint summed) noexcept nogil:
    """Add to a 32-bit field of the header; `summed`: the checksum covers it and is kept right."""
    cdef uint64_t times = lane(tcp, field)
    cdef uint32_t old, new
    memcpy(&old, field, 4)
    new = htonl(ntohl(old) + shift)
    memcpy(field, &new, 4)
    if summed:
        tcp.check = update_check(tcp.check, difference(old * times, new * times))

cdef inline void correct_sack(TcpHeader* tcp, uint32_t shift, bint summed) noexcept nogil:
    cdef uint8_t* sack = find_option(tcp, TCP_OPTION_SACK, ANY_LENGTH)
    cdef int at
    if sack != NULL:
        for at in range(SACK_EDGES, sack[1] - 3, 4):
            shift_number(tcp, sack + at, shift, summed)

cdef inline void correct_segment(TcpHeader* tcp, const Packet* packet) noexcept nogil:
    """A whole segment: sequence and acknowledgment number, and the edges of selective acknowledgments."""
    cdef bint summed = packet.checksum_ready
    shift_number(tcp, <uint8_t*>&tcp.sequence, packet.shift[SEQUENCE], summed)
    if not tcp.flags & ACK or packet.shift[ACKNOWLEDGMENT] == 0:
        return
    shift_number(tcp, <uint8_t*>&tcp.acknowledgment, packet.shift[ACKNOWLEDGMENT], summed)
    correct_sack(tcp, packet.shift[ACKNOWLEDGMENT], summed)

cdef inline void correct_quoted(TcpHeader* tcp, uint32_t length, const Packet* packet) noexcept nogil:
    """As much of a segment as an ICMP error quotes, 8 bytes at least; its checksum if that is quoted."""
    cdef bint summed = length >= 18
    shift_number(tcp, <uint8_t*>&tcp.sequence, packet.shift[SEQUENCE], summed)
    if length < 14 or not tcp.flags & ACK or packet.shift[ACKNOWLEDGMENT] == 0:
        return
    # An acknowledgment cut short is no number, and the options of a header cut short are left.
    shift_number(tcp, <uint8_t*>&tcp.acknowledgment, packet.shift[ACKNOWLEDGMENT], summed)
    if length >= sizeof(TcpHeader) and length >= tcp_header_length(tcp):
        correct_sack(tcp, packet.shift[ACKNOWLEDGMENT], summed)

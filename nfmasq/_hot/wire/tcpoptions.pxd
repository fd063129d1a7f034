# TCP options (RFC 9293 section 3.1): found one at a time, in a header whose length parse has checked.

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from nfmasq._hot.wire.checksum cimport difference, lane, update_check
from nfmasq._hot.wire.wire cimport TcpHeader, htons, ntohs, tcp_header_length

cdef enum:
    TCP_OPTION_END = 0
    TCP_OPTION_NOP = 1
    TCP_OPTION_MSS = 2
    TCP_OPTION_MSS_LENGTH = 4
    TCP_OPTION_SCALE = 3
    TCP_OPTION_SCALE_LENGTH = 3
    TCP_OPTION_SACK = 5
    ANY_LENGTH = 0

cdef inline uint8_t* find_option(TcpHeader* tcp, uint8_t kind, uint8_t length) noexcept nogil:
    """The first option of this kind if it has this length, else NULL; each step moves on by a byte at least.

    ANY_LENGTH: whatever it has.
    """
    cdef uint8_t* at = <uint8_t*>tcp + sizeof(TcpHeader)
    cdef uint8_t* end = <uint8_t*>tcp + tcp_header_length(tcp)
    while at < end and at[0] != TCP_OPTION_END:
        if at[0] == TCP_OPTION_NOP:
            at += 1
            continue
        if end - at < 2 or at[1] < 2 or at[1] > end - at:
            break
        if at[0] == kind:
            return at if at[1] == length or length == ANY_LENGTH else NULL
        at += at[1]
    return NULL

cdef inline uint8_t* find_mss_above(TcpHeader* tcp, uint16_t most) noexcept nogil:
    """The MSS option if it says more than `most`, else NULL."""
    cdef uint8_t* option = find_option(tcp, TCP_OPTION_MSS, TCP_OPTION_MSS_LENGTH)
    cdef uint16_t said
    if option == NULL:
        return NULL
    memcpy(&said, option + 2, 2)
    return option if ntohs(said) > most else NULL

cdef inline void clamp_mss(TcpHeader* tcp, uint16_t most, bint summed) noexcept nogil:
    """Let the MSS option say no more than `most`; `summed`: the checksum covers it and is kept right."""
    cdef uint8_t* option = find_mss_above(tcp, most)
    cdef uint16_t new = htons(most)
    cdef uint64_t times = lane(tcp, option)
    cdef uint16_t old
    if option == NULL:
        return
    memcpy(&old, option + 2, 2)
    memcpy(option + 2, &new, 2)
    if summed:
        tcp.check = update_check(tcp.check, difference(old * times, new * times))

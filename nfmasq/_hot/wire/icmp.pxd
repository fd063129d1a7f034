# ICMP as a NAT sees it (RFC 792, 950, 5508): queries have an identifier to map, errors quote a packet.

from libc.stdint cimport uint8_t

cdef enum IcmpType:
    ECHO_REPLY = 0
    DESTINATION_UNREACHABLE = 3
    SOURCE_QUENCH = 4
    REDIRECT = 5
    ECHO_REQUEST = 8
    TIME_EXCEEDED = 11
    PARAMETER_PROBLEM = 12
    TIMESTAMP_REQUEST = 13
    TIMESTAMP_REPLY = 14
    INFORMATION_REQUEST = 15
    INFORMATION_REPLY = 16
    MASK_REQUEST = 17
    MASK_REPLY = 18

cdef inline bint is_request(uint8_t type) noexcept nogil:
    return (
        type == ECHO_REQUEST or type == TIMESTAMP_REQUEST
        or type == INFORMATION_REQUEST or type == MASK_REQUEST
    )

cdef inline bint is_reply(uint8_t type) noexcept nogil:
    return (
        type == ECHO_REPLY or type == TIMESTAMP_REPLY
        or type == INFORMATION_REPLY or type == MASK_REPLY
    )

cdef inline uint8_t reply_to(uint8_t request) noexcept nogil:
    """The type that answers a request; of anything else no type."""
    return ECHO_REPLY if request == ECHO_REQUEST else <uint8_t>(request + 1)

cdef inline bint is_error(uint8_t type) noexcept nogil:
    """The errors a NAT passes on; source quench is deprecated (RFC 6633), redirects stay on their link."""
    return type == DESTINATION_UNREACHABLE or type == TIME_EXCEEDED or type == PARAMETER_PROBLEM

# IP options (RFC 791 section 3.1): checked once, and on their way out rid of internal addresses.
#
# Record route and timestamp collect the addresses of the routers passed, this one's internal address among
# them, and a host may fill in what it likes.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from nfmasq._hot.state.packet cimport Packet, drop
from nfmasq._hot.state.reasons cimport IP_OPTIONS_INVALID, SOURCE_ROUTED
from nfmasq._hot.state.rules cimport Rules, is_internal
from nfmasq._hot.wire.checksum cimport difference, lane, update_check
from nfmasq._hot.wire.wire cimport (
    OPTION_END, OPTION_LOOSE_SOURCE_ROUTE, OPTION_NOP, OPTION_RECORD_ROUTE, OPTION_STRICT_SOURCE_ROUTE,
    OPTION_TIMESTAMP, IpHeader, header_length,
)

cdef inline bint check_options(Packet* packet, uint32_t end) noexcept nogil:
    """Walk the options up to the header's end; each step moves on by one byte at least."""
    cdef uint32_t at = sizeof(IpHeader)
    cdef uint8_t option, length
    while at < end:
        option = packet.data[at]
        if option == OPTION_END:
            break
        if option == OPTION_NOP:
            at += 1
            continue
        if at + 1 >= end:
            return drop(packet, IP_OPTIONS_INVALID)
        length = packet.data[at + 1]
        if length < 2 or at + length > end:
            return drop(packet, IP_OPTIONS_INVALID)
        if option == OPTION_LOOSE_SOURCE_ROUTE or option == OPTION_STRICT_SOURCE_ROUTE:
            return drop(packet, SOURCE_ROUTED)
        at += length
    return True

cdef inline void hide_addresses(
    const Rules* rules, IpHeader* ip, uint8_t* at, uint8_t* end, uint32_t step, uint32_t external
) noexcept nogil:
    """Replace every internal address of a list, and keep the header's checksum right."""
    cdef uint32_t address
    cdef uint64_t times = lane(ip, at)
    while end - at >= 4:
        memcpy(&address, at, 4)
        if is_internal(rules, address):
            ip.check = update_check(ip.check, difference(address * times, external * times))
            memcpy(at, &external, 4)
        at += step

cdef inline void hide_in_options(const Rules* rules, IpHeader* ip, uint32_t external) noexcept nogil:
    """Write `external` over the internal addresses in a header's record-route and timestamp options.

    For a quoted header too, whose options are unchecked: it stops at the first that makes no sense.
    """
    cdef uint8_t* at = <uint8_t*>ip + sizeof(IpHeader)
    cdef uint8_t* end = <uint8_t*>ip + header_length(ip)
    cdef uint8_t length
    while at < end and at[0] != OPTION_END:
        if at[0] == OPTION_NOP:
            at += 1
            continue
        if end - at < 2 or at[1] < 2 or at[1] > end - at:
            break
        length = at[1]
        if at[0] == OPTION_RECORD_ROUTE:          # type, length, pointer, addresses
            hide_addresses(rules, ip, at + 3, at + length, 4, external)
        elif at[0] == OPTION_TIMESTAMP and length >= 4 and at[3] & 15:
            # type, length, pointer, flags, then an address and a time each
            hide_addresses(rules, ip, at + 4, at + length, 8, external)
        at += length

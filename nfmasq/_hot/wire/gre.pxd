# GRE of version 1, which carries the calls of PPTP (RFC 2637 section 4.1).
#
# The call id that it carries is its receiver's. Its sender's stands in no packet. It has no checksum.

from libc.stdint cimport uint8_t, uint16_t

from nfmasq._hot.wire.wire cimport htons

cdef enum:
    PPP = 0x880B             # what it carries
    KEY_ALONE = 0x20         # first byte: a key, and neither checksum, routing nor recursion
    MAY_BE_NUMBERED = 0x10   # and a sequence number, or none
    VERSION_1 = 1            # second byte
    MAY_ACKNOWLEDGE = 0x80

cdef struct GreHeader:       # as far as every packet of a call has it
    uint8_t flags
    uint8_t version
    uint16_t protocol
    uint16_t payload_length
    uint16_t call_id

cdef inline bint is_of_call(const GreHeader* gre) noexcept nogil:
    """Is it a packet of a call? GRE of version 0 has a key of another kind, and of any length."""
    return (
        gre.flags & ~MAY_BE_NUMBERED == KEY_ALONE and gre.version & ~MAY_ACKNOWLEDGE == VERSION_1
        and gre.protocol == htons(PPP)
    )

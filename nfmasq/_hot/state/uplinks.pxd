# Uplinks: the external interfaces, and the realms that their addresses make up.
#
# A realm is a set of external addresses of one uplink that stand for each other: a whole pool, in which each
# internal host is paired with one address (RFC 4787 REQ-2), or the one address that routes name (sources). A
# mapping belongs to the realm of its external address. An internal endpoint has one mapping in each realm it
# was seen to leave by.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.networks cimport Network

cdef enum:
    NO_UPLINK = 0xFF
    NO_REALM = 0xFF          # of an address that is not handed out

cdef struct Realm:
    uint16_t first           # of its addresses; they lie side by side
    uint16_t count
    uint16_t uplink

cdef struct Source:          # what goes to this network belongs in this realm
    Network network
    uint8_t realm

cdef struct Uplink:
    uint32_t index           # of the interface; 0: it is away
    uint16_t mss             # the largest TCP MSS to let through; 0: any
    uint16_t first_source
    uint16_t source_count
    uint8_t realm            # where no source says another; NO_REALM: it hands out none of its addresses

# Changes: what nfmasq changed in the headers of packets it sent on, so that an error's quote can be reverted.
#
# What is stored: for the last packets whose identification or MSS was changed, what both were before; for
# the last packets whose IP options were changed, those options. A change of addresses, ports or sequence
# numbers is not stored: the session tells it.
# Who writes: revert, under the table's lock. What ends an entry: a later packet that takes its place. An
# error comes within a round trip of its packet, and until then the place is taken again only by a flood.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.wire.wire cimport ntohs

cdef enum:
    CHANGES = 65536          # packets; a power of two, as the next
    OPTION_CHANGES = 256
    MOST_OPTIONS = 40        # bytes of IP options
    SPREAD = 40503           # odd: keeps sessions apart whose identifications are alike

cdef struct Change:
    uint32_t key             # of the session and the direction; 0: free
    uint16_t sent            # the identification it was sent on with, network order, as all that follow
    uint16_t identification  # that it came with
    uint16_t mss_sent        # 0: the MSS is as it came
    uint16_t mss
    uint8_t mss_at           # where in the TCP header the MSS is

cdef struct OptionChange:
    uint32_t key
    uint16_t sent
    uint8_t length
    uint8_t[MOST_OPTIONS] came_with
    uint8_t[MOST_OPTIONS] sent_with

cdef struct Changes:
    Change[CHANGES] packets
    OptionChange[OPTION_CHANGES] options

cdef inline uint32_t change_key(uint32_t session, uint8_t direction) noexcept nogil:
    """A packet's session, and in which of two directions it went; never 0."""
    return session << 1 | direction

cdef inline Change* change_at(Changes* changes, uint32_t key, uint16_t sent) noexcept nogil:
    """The place of a packet: those of one session that follow each other lie next to each other."""
    return &changes.packets[(key * SPREAD + ntohs(sent)) & (CHANGES - 1)]

cdef inline OptionChange* option_change_at(Changes* changes, uint32_t key, uint16_t sent) noexcept nogil:
    return &changes.options[(key * SPREAD + ntohs(sent)) & (OPTION_CHANGES - 1)]

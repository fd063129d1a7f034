# Networks: is an address in one of them?
#
# Networks that overlap are compared one after the other, by mask. Networks that do not are kept as ranges in
# ascending order, of which binary search finds the one.

from libc.stdint cimport uint32_t

from nfmasq._hot.wire.wire cimport ntohl

cdef struct Network:
    uint32_t address         # network order, as the mask
    uint32_t mask

cdef struct Range:           # host order, both included
    uint32_t first
    uint32_t last

cdef inline bint lies_in(uint32_t address, const Network* network) noexcept nogil:
    return address & network.mask == network.address

cdef inline bint lies_in_any(uint32_t address, const Range* ranges, uint32_t count) noexcept nogil:
    """Is the address (network order) in one of these ascending, disjoint ranges?"""
    cdef uint32_t wanted = ntohl(address)
    cdef uint32_t low = 0
    cdef uint32_t high = count
    cdef uint32_t middle
    while low < high:
        middle = (low + high) // 2
        if ranges[middle].last < wanted:
            low = middle + 1
        else:
            high = middle
    return low < count and ranges[low].first <= wanted

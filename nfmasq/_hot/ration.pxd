# Ration: while packets come faster than they are served, whoever sends most of them goes short.
#
# A queue that is full drops whatever comes next, so one flow that floods it takes the room of all others and
# makes them wait behind it. Connections that heed losses never fill a batch for long; a flood does. Once
# batches have come full many times in a row, packets of a flow that sends far more than the others do are
# dropped by chance, at odds that grow while batches stay full and shrink when they do not. Where nobody else
# is there to be helped, or all flood alike, the kernel's queue goes on dropping what it has no room for:
# it does so for less.
#
# What is stored: how often batches came full, the odds, and packets of the last few batches by flow, in as
# many slots as tell a flood from the rest. One worker's own. What ends it: halved every WINDOW batches.

from libc.stdint cimport uint16_t, uint32_t

from nfmasq._hot.packet cimport CONTINUE, Packet, drop
from nfmasq._hot.reasons cimport QUEUE_OVERRUN

cdef enum:
    STANDING = 32            # full batches in a row that are a flood
    WINDOW = 16              # batches
    REMEMBERED = 256         # windows for which others count as being there
    SLOTS = 256              # a power of two
    ENOUGH = 256             # packets counted before anybody is judged
    FAR_MORE = 4             # times what the others send, each
    CERTAIN = 65536
    UP = 2048                # the odds grow by so much with each batch that is full
    DOWN = 512               # and shrink with each that is not
    MOST = CERTAIN - UP      # some get through, however many they are

cdef struct Ration:
    uint32_t full            # batches in a row
    uint32_t odds            # of CERTAIN
    uint32_t batches         # of this window
    uint32_t others          # windows until others are forgotten
    uint32_t seen
    uint32_t flows
    uint32_t chance
    uint16_t[SLOTS] counts

cdef inline uint32_t next_chance(Ration* ration) noexcept nogil:
    """A number below CERTAIN (xorshift): nobody gains by guessing it."""
    cdef uint32_t word = ration.chance or 1
    word ^= word << 13
    word ^= word >> 17
    word ^= word << 5
    ration.chance = word
    return word >> 16

cdef inline void halve(Ration* ration) noexcept nogil:
    """Begin the next window with half of what was counted."""
    cdef int slot
    ration.others = REMEMBERED if ration.flows > 1 else ration.others - (ration.others != 0)
    ration.batches = ration.seen = ration.flows = 0
    for slot in range(SLOTS):
        ration.counts[slot] >>= 1
        ration.seen += ration.counts[slot]
        ration.flows += ration.counts[slot] != 0

cdef inline void set_odds(Ration* ration, bint full) noexcept nogil:
    if not full:
        ration.full = 0
        ration.odds -= min(ration.odds, <uint32_t>DOWN)
    elif ration.full < STANDING:
        ration.full += 1
    else:
        ration.odds = min(ration.odds + <uint32_t>UP, <uint32_t>MOST)

cdef inline bint sends_far_more(const Ration* ration, uint32_t count) noexcept nogil:
    """Than each of the others, who are there or were not long ago?"""
    if ration.seen < ENOUGH:
        return False
    if ration.flows < 2:
        return ration.others != 0
    return count * (ration.flows - 1) > <uint32_t>FAR_MORE * (ration.seen - count)

cdef inline void apportion(Ration* ration, Packet* packets, int count, bint full) noexcept nogil:
    """Count a batch whose buckets are known, and drop from a flow that floods."""
    cdef uint16_t* counted
    cdef int i
    set_odds(ration, full)
    if ration.full < STANDING and ration.odds == 0:
        return
    for i in range(count):
        if packets[i].verdict != CONTINUE:
            continue
        counted = &ration.counts[packets[i].bucket % SLOTS]
        ration.flows += counted[0] == 0
        ration.seen += 1
        counted[0] += 1
        if ration.odds and sends_far_more(ration, counted[0]) and next_chance(ration) < ration.odds:
            drop(&packets[i], QUEUE_OVERRUN)
    ration.batches += 1
    if ration.batches == WINDOW:
        halve(ration)

# The stand: packets taken through the table without a queue, for tests, benches and tracing.
#
# A part of _fastpath.pyx. Each packet is copied first; the copy is freed with its Packet.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from nfmasq._hot.base.clock cimport clock_seconds, processor_nanoseconds
from nfmasq._hot.state.aside cimport hand_over
from nfmasq._hot.state.packet cimport ASIDE, HAIRPIN, OUTBOUND, TRANSLATE, Packet
from nfmasq._hot.state.table cimport NatTable
from nfmasq._hot.way.receive cimport BATCH, SLOT

cdef enum:
    INSIDE = 0xFFFFFFFF      # the index of an interface that is no uplink

cdef int take_packet(NatTable* table, Packet* state, object packet, uint32_t now) except -1:
    """Take one packet, whose direction and origin are set, to its verdict; the caller frees its bytes."""
    cdef size_t length = len(packet)
    cdef const uint8_t[::1] source = packet if length else b"\0"
    state.data = <uint8_t*>malloc(length + 4)
    if state.data == NULL:
        raise MemoryError
    memcpy(state.data, &source[0], length)
    state.length = <uint32_t>length
    with nogil:
        translate(table, state, 1, now, -1)
        if state.verdict == ASIDE:
            hand_over(&table.aside, state.aside, state.data, -1, 0, 0)
    return 0

cdef tuple translate_one(NatTable* table, Packet* state, object packet, uint32_t now):
    try:
        take_packet(table, state, packet, now)
        return answer(state)
    finally:
        free(state.data)

cdef tuple translate_hairpin(NatTable* table, object packet, uint32_t now):
    """Both passes of a hairpinned packet."""
    cdef Packet first, second
    memset(&first, 0, sizeof(Packet))
    memset(&second, 0, sizeof(Packet))
    first.direction, first.checksum_ready = HAIRPIN, True
    second.direction, second.checksum_ready = OUTBOUND, True
    first.in_device = second.in_device = second.out_device = INSIDE
    try:
        take_packet(table, &first, packet, now)
        if first.verdict != TRANSLATE:
            return answer(&first)
        second.mark = first.mark
        take_packet(table, &second, (<char*>first.data)[:first.length], now)
        return answer(&second)
    finally:
        free(first.data)
        free(second.data)

cdef int copy_batch(Packet* states, uint8_t* slots, object packets, const Packet* like) except -1:
    """Copy up to BATCH packets into the slots; all else of each Packet is as in `like`."""
    cdef const uint8_t[::1] source
    cdef size_t length
    for i, packet in enumerate(packets):
        source = packet
        length = source.shape[0]
        states[i] = like[0]
        states[i].data = slots + <size_t>i * SLOT
        states[i].length = <uint32_t>length
        memcpy(states[i].data, &source[0], length)
    return 0

cdef object nanoseconds_each(NatTable* table, object packets, int batch, const Packet* like, uint32_t now):
    """Translate packets in batches; nanoseconds of processor time a packet took."""
    cdef Packet* states = <Packet*>malloc(BATCH * sizeof(Packet))
    cdef uint8_t* slots = <uint8_t*>malloc(BATCH * SLOT)
    cdef uint64_t begin, taken = 0
    cdef int count
    try:
        for first in range(0, len(packets), batch):
            count = min(batch, len(packets) - first)
            copy_batch(states, slots, packets[first:first + count], like)
            with nogil:
                begin = processor_nanoseconds()
                translate(table, states, count, now, -1)
                taken += processor_nanoseconds() - begin
            if states[count - 1].verdict != TRANSLATE:
                raise RuntimeError(f"a packet was refused: {REASONS[states[count - 1].reason - 1]}")
        return taken / len(packets)
    finally:
        free(states)
        free(slots)

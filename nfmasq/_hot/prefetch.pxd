# Prefetch: have a batch's records on their way from memory before the lock is taken.
#
# In a large table nearly every packet's session lies outside the caches. One after the other each would be
# waited for; asked for together they arrive together. What is read here without the lock only tells which
# memory to ask for: if it changes meanwhile, the wrong memory was asked for, and nothing else.

from libc.stdint cimport uint8_t, uint32_t

from nfmasq._hot.packet cimport CONTINUE, INBOUND, Packet
from nfmasq._hot.table cimport NatTable, tuple_bucket

cdef extern from *:
    """
    #define nfmasq_prefetch(address) __builtin_prefetch((address), 1)
    """
    void ask_for "nfmasq_prefetch" (const void* address) noexcept nogil

cdef enum:
    LINE = 64

cdef inline const uint32_t* bucket_of(const NatTable* table, const Packet* packet) noexcept nogil:
    """Where the packet's session is looked for."""
    if packet.direction == INBOUND:
        return &table.by_external[packet.bucket]
    return &table.by_internal[packet.bucket]

cdef inline void prefetch(const NatTable* table, Packet* packets, int count) noexcept nogil:
    """Find every packet's bucket, and ask for it and for the first session in it."""
    cdef const uint8_t* session
    cdef int i
    for i in range(count):
        if packets[i].verdict == CONTINUE:
            packets[i].bucket = tuple_bucket(
                table, packets[i].protocol, packets[i].near_address, packets[i].near_port,
                packets[i].remote_address, packets[i].remote_port,
            )
            ask_for(bucket_of(table, &packets[i]))
    for i in range(count):
        if packets[i].verdict == CONTINUE:
            session = <const uint8_t*>&table.sessions[bucket_of(table, &packets[i])[0]]
            ask_for(session)
            ask_for(session + LINE)

# Prefetch: have a batch's records on their way from memory before the lock is taken.
#
# In a large table nearly every packet's session lies outside the caches. Asked for one after the other,
# each would be waited for; asked for together they arrive together. What is read here without the lock only
# says which memory to ask for: if it changes meanwhile, the wrong memory was asked for, and nothing else.

from libc.stdint cimport uint8_t, uint32_t

from nfmasq._hot.state.packet cimport CONTINUE, INBOUND, Packet
from nfmasq._hot.state.table cimport (
    NatTable, Session, ask_for, external_mapping_bucket, internal_mapping_bucket, tuple_bucket,
)

cdef enum:
    LINE = 64

cdef inline const uint32_t* bucket_of(const NatTable* table, const Packet* packet) noexcept nogil:
    """Where the packet's session is looked for."""
    if packet.direction == INBOUND:
        return &table.by_external[packet.bucket]
    return &table.by_internal[packet.bucket]

cdef inline void ask_for_session(const Session* session) noexcept nogil:
    ask_for(session)
    ask_for(<const uint8_t*>session + LINE)

cdef inline uint32_t* mappings_for(const NatTable* table, const Packet* packet) noexcept nogil:
    """The bucket where an endpoint-independent mapping is looked for, by which its session may begin."""
    if packet.direction == INBOUND:
        return &table.mapping_by_external[
            external_mapping_bucket(table, packet.protocol, packet.near_address, packet.near_port)
        ]
    return &table.mapping_by_internal[
        internal_mapping_bucket(table, packet.protocol, packet.near_address, packet.near_port, 0, 0)
    ]

cdef inline void ask_for_mappings(const NatTable* table, const Packet* packets, int count) noexcept nogil:
    """Ask for the first mapping in the bucket of each packet that has one."""
    cdef int i
    for i in range(count):
        if packets[i].mappings != NULL and packets[i].mappings[0]:
            ask_for(&table.mappings[packets[i].mappings[0]])

cdef inline void prefetch(const NatTable* table, Packet* packets, int count) noexcept nogil:
    """Find every packet's bucket, ask for it, and for what a packet with that bucket needs next."""
    cdef bint begins = False
    cdef uint32_t first
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
            first = bucket_of(table, &packets[i])[0]
            if first:
                ask_for_session(&table.sessions[first])
            else:                                    # no session: it begins one
                packets[i].mappings = mappings_for(table, &packets[i])
                ask_for(packets[i].mappings)
                begins = True
    if begins:
        ask_for_mappings(table, packets, count)

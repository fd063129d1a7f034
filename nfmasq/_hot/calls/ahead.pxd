# Ahead: what recover needs of memory is asked for before its turn.
#
# Nearly every bucket of a large table lies outside the caches. Waited for one after the other, the buckets of
# a million records take most of a restart. So a record's buckets are asked for two STEPs before its turn, and
# the records that they hold one STEP before. What is found here only says which memory to ask for. But a
# session's own buckets are kept until it is linked into them.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.index cimport Buckets, external_bucket_of, internal_bucket_of
from nfmasq._hot.state.table cimport (
    NatTable, Session, ask_for, external_mapping_bucket, internal_mapping_bucket,
)

cdef enum:
    STEP = 16                # records
    WINDOW = 2 * STEP + 1

cdef struct Needed:          # by one record
    Buckets buckets          # peer: not known yet
    uint32_t internal_mapping
    uint32_t external_mapping

cdef inline void ask_for_buckets(
    const NatTable* table, const Session* session, Needed* needed
) noexcept nogil:
    """Its mapping's internal one as if the mapping were endpoint-independent: nearly all are."""
    needed.buckets.internal = internal_bucket_of(table, session)
    needed.buckets.external = external_bucket_of(table, session)
    needed.internal_mapping = internal_mapping_bucket(
        table, session.protocol, session.internal_address, session.internal_port, 0, 0
    )
    needed.external_mapping = external_mapping_bucket(
        table, session.protocol, session.external_address, session.external_port
    )
    ask_for(&table.by_internal[needed.buckets.internal])
    ask_for(&table.by_external[needed.buckets.external])
    ask_for(&table.mapping_by_internal[needed.internal_mapping])
    ask_for(&table.mapping_by_external[needed.external_mapping])

cdef inline void ask_for_first(const NatTable* table, const Needed* needed) noexcept nogil:
    """The first record of each bucket; number 0, which is none, is in the caches."""
    ask_for(&table.sessions[table.by_internal[needed.buckets.internal]])
    ask_for(&table.sessions[table.by_external[needed.buckets.external]])
    ask_for(&table.mappings[table.mapping_by_internal[needed.internal_mapping]])
    ask_for(&table.mappings[table.mapping_by_external[needed.external_mapping]])

cdef inline void look_ahead_first(const NatTable* table, Needed* window, uint32_t stored) noexcept nogil:
    """Ask for the buckets of the records that look_ahead will find asked for."""
    cdef uint32_t number
    for number in range(1, min(stored, <uint32_t>(2 * STEP)) + 1):
        if table.sessions[number].live:
            ask_for_buckets(table, &table.sessions[number], &window[number % WINDOW])

cdef inline void look_ahead(
    const NatTable* table, Needed* window, uint32_t number, uint32_t stored
) noexcept nogil:
    """Ask for what the next of the `stored` records need, before the turn of this one."""
    cdef uint32_t far = number + 2 * STEP
    cdef uint32_t near = number + STEP
    if far <= stored and table.sessions[far].live:
        ask_for_buckets(table, &table.sessions[far], &window[far % WINDOW])
    if near <= stored and table.sessions[near].live:
        ask_for_first(table, &window[near % WINDOW])

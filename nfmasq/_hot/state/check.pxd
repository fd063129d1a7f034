# Check: a sum in each session record over what identifies the session: a damaged record is recognized.
#
# What is stored: `check`, over the endpoints, the protocol, the scope, the time it began, the correction of
# its sequence numbers, and whether it is an expectation or began by one. 0: the record is free; no sum is 0.
# Who writes: whatever begins a session, ends it, or changes one of these fields. Recover alone compares.
#
# The sum is that of the fields, each times a factor of its own, modulo a prime. A change of one byte changes
# one term by less than the prime times a power of two, so it always shows; of other damage, all but one in
# 65521. Fields that any packet may change (times, counters, windows) are not covered: a wrong one makes no
# session that never was.

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from nfmasq._hot.state.packet cimport INBOUND, OUTBOUND
from nfmasq._hot.state.table cimport ANNOUNCED, EXPECTED, Session

cdef enum:
    PRIME = 65521            # the largest below 2^16

cdef inline uint16_t check_of(const Session* session) noexcept nogil:
    """1 to PRIME."""
    cdef uint32_t kind = (
        <uint32_t>session.protocol << 24 | <uint32_t>session.transport << 16
        | <uint32_t>session.scope << 8 | session.flags & (EXPECTED | ANNOUNCED)
    )
    cdef uint64_t total = (
        <uint64_t>60013 * kind
        + <uint64_t>52361 * session.internal_address
        + <uint64_t>47629 * session.external_address
        + <uint64_t>40961 * session.remote_address
        + <uint64_t>35323 * (<uint32_t>session.internal_port << 16 | session.external_port)
        + <uint64_t>29443 * session.remote_port
        + <uint64_t>22277 * session.created
        + <uint64_t>16411 * <uint32_t>session.correction[OUTBOUND]
        + <uint64_t>9973 * <uint32_t>session.correction[INBOUND]
        + 4241
    )
    return <uint16_t>(total % PRIME + 1)

cdef inline void write_check(Session* session) noexcept nogil:
    """Let the record be right about itself. Called after each change of a covered field."""
    session.check = check_of(session)

cdef inline bint is_undamaged(const Session* session) noexcept nogil:
    return session.check == check_of(session)

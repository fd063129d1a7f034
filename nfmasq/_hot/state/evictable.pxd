# Evictable: the sessions that may end early while room is short, the oldest first.
#
# What is stored: lines of sessions, one for each pool of ports and one for sessions without a pool. Each is a
# ring through its head. A session that has begun waits in a line until both sides have sent a packet; a TCP
# connection until its handshake is over, and again once it is closed. An expectation waits in none.
# Who writes: sessions, when one begins, ends or changes its state; track, at the first answer. What
# ends a place: an answer, or the end of the session. make_room evicts.
#
# The rings lie in this process alone. They cost an established packet nothing.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.keys cimport is_keyed
from nfmasq._hot.state.packet cimport CLASS_OTHER, CLASS_TCP, INBOUND, OUTBOUND
from nfmasq._hot.state.rules cimport Timeouts
from nfmasq._hot.state.table cimport (
    EXPECTED, LINES, NO_POOL, OLD_TIMER, OLD_TIMER_UNIT, Mapping, NatTable, Place, Session,
)
from nfmasq._hot.state.tcpstate cimport (
    EVICTABLE, EVICTABLE_AS_BEFORE, TCP_RESET, tcp_evictable,
)
from nfmasq._hot.state.timers cimport timer_of
from nfmasq._hot.state.traffic cimport packets_of

cdef inline uint32_t line_of(uint16_t pool, uint8_t transport) noexcept nogil:
    """The number of a pool's line, or of the line of sessions without a pool."""
    return LINES - 1 if pool == NO_POOL or transport == CLASS_OTHER else <uint32_t>pool * 3 + transport

cdef inline uint32_t head_of(const NatTable* table, uint32_t line) noexcept nogil:
    return table.capacity + 1 + line

cdef inline uint32_t oldest_of(const NatTable* table, uint32_t line) noexcept nogil:
    """The session that has waited the longest in a line, or 0."""
    cdef uint32_t head = head_of(table, line)
    return 0 if table.lines[head].next == head else table.lines[head].next

cdef inline void append(NatTable* table, uint32_t head, uint32_t number) noexcept nogil:
    cdef uint32_t last = table.lines[head].previous
    table.lines[number].next, table.lines[number].previous = head, last
    table.lines[last].next = number
    table.lines[head].previous = number

cdef inline void leave_line(NatTable* table, uint32_t number) noexcept nogil:
    """Keep the session from being evicted."""
    cdef Place* place = &table.lines[number]
    if place.next:
        table.lines[place.previous].next = place.next
        table.lines[place.next].previous = place.previous
        place.next = 0

cdef inline void join_line(NatTable* table, uint32_t number) noexcept nogil:
    """Let the session be evicted after all that wait already."""
    cdef const Mapping* mapping = &table.mappings[table.sessions[number].mapping]
    if table.lines[number].next == 0:
        append(table, head_of(table, line_of(mapping.pool, mapping.transport)), number)

cdef inline void go_last(NatTable* table, uint32_t number) noexcept nogil:
    leave_line(table, number)
    join_line(table, number)

cdef inline void follow_state(NatTable* table, uint32_t number) noexcept nogil:
    """Let a TCP session wait in a line, or not, as its new state asks."""
    cdef uint8_t evictable = tcp_evictable[table.sessions[number].state]
    if evictable == EVICTABLE:
        join_line(table, number)
    elif evictable != EVICTABLE_AS_BEFORE:
        leave_line(table, number)

cdef inline bint is_evictable(const Session* session) noexcept nogil:
    """Of a session that is linked: does it belong in a line? A reset one only if its SYN was refused.

    Of a keyed session one side alone sends packets; its control session answers for it.
    """
    if session.flags & EXPECTED or is_keyed(session):
        return False
    if session.transport != CLASS_TCP:
        return not packets_of(&session.traffic, OUTBOUND) or not packets_of(&session.traffic, INBOUND)
    if session.state == TCP_RESET:
        return packets_of(&session.traffic, INBOUND) <= 1
    return tcp_evictable[session.state] == EVICTABLE

cdef inline int idle_s(const NatTable* table, const Session* session, uint32_t now) noexcept nogil:
    """Seconds since the timer began to run; less than 0 where a helper keeps the session."""
    cdef int past = (session.flags & OLD_TIMER) / OLD_TIMER_UNIT
    cdef const Timeouts* timeouts = &table.past_timeouts[past] if past else &table.rules.timeouts
    return <int>(now - (session.expires - timer_of(timeouts, session)))

cdef inline void empty_lines(NatTable* table) noexcept nogil:
    """Make every line an empty ring. Their sessions must join again."""
    cdef uint32_t head
    for head in range(head_of(table, 0), head_of(table, LINES)):
        table.lines[head].next = table.lines[head].previous = head

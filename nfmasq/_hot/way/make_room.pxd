# Make room: while room is short, a new session may end others that nobody has answered, or that are over.
#
# Limits for each host are of no help against spoofed sources, for each of them is another host. But none of
# them completes a handshake. The oldest goes first, and an answered session never. The work is bounded: a
# few sessions are looked at for each that begins.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.evictable cimport go_last, head_of, idle_s, oldest_of
from nfmasq._hot.state.sessions cimport evict_session
from nfmasq._hot.state.table cimport LINES, NatTable, Session
from nfmasq._hot.way.limits cimport is_scarce, room_left

cdef enum:
    PATIENCE = 2             # seconds that an answer may take
    LEAST_PATIENCE = 1       # and where nothing is left; the clock counts whole ones
    AT_A_TIME = 2            # sessions that may end for one that begins: one for it, and one that room grows
    LOOKS = 8                # sessions, or lines, looked at for it

cdef inline bint has_waited(
    const NatTable* table, uint32_t number, uint32_t patience, uint32_t now
) noexcept nogil:
    return idle_s(table, &table.sessions[number], now) >= <int>patience

cdef inline bint yields(NatTable* table, uint32_t number, uint32_t now) noexcept nogil:
    """End a session that a new one needs the endpoints of, if nobody answers it. False: it stays."""
    if not table.lines[number].next or not has_waited(table, number, PATIENCE, now):
        return False
    evict_session(table, number, now)
    return True

cdef inline bint evict_from(NatTable* table, uint32_t line, uint32_t patience, uint32_t now) noexcept nogil:
    """End the oldest session of a line that has been idle for so long. False: none is found soon.

    One that sends on, though nobody answers, goes to the end of the line.
    """
    cdef uint32_t number
    cdef int _look
    for _look in range(LOOKS):
        number = oldest_of(table, line)
        if number and has_waited(table, number, patience, now):
            evict_session(table, number, now)
            return True
        if not number or now - table.sessions[number].created < patience:
            return False             # all that come after it are younger
        go_last(table, number)
    return False

cdef inline bint evict_own(NatTable* table, uint32_t line, uint32_t host, uint32_t now) noexcept nogil:
    """As evict_from, for a session of this host among the first of the line."""
    cdef uint32_t head = head_of(table, line)
    cdef uint32_t number = table.lines[head].next
    cdef int _look
    for _look in range(LOOKS):
        if number == head:
            return False
        if table.mappings[table.sessions[number].mapping].host == host and has_waited(
            table, number, PATIENCE, now
        ):
            evict_session(table, number, now)
            return True
        number = table.lines[number].next
    return False

cdef inline uint32_t oldest_line(NatTable* table) noexcept nogil:
    """The line whose first session began first, among the next few of those in use."""
    cdef uint32_t count = table.pool_count * 3 + 1
    cdef uint32_t chosen = LINES - 1
    cdef uint32_t first = oldest_of(table, chosen)
    cdef uint32_t line, number
    cdef int _look
    for _look in range(LOOKS):
        line = table.next_line
        table.next_line = (table.next_line + 1) % count
        number = oldest_of(table, line)
        if number and (
            not first or <int>(table.sessions[number].created - table.sessions[first].created) < 0
        ):
            chosen, first = line, number
    return chosen

cdef inline void make_room(NatTable* table, uint32_t now) noexcept nogil:
    """Before a session begins: end old ones while the table is nearly full."""
    cdef int _i
    if not is_scarce(table):
        return
    for _i in range(AT_A_TIME):
        if not evict_from(table, oldest_line(table), PATIENCE if room_left(table) else LEAST_PATIENCE, now):
            return

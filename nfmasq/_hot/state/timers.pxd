# Timers: when sessions end. How long each may be idle, and a wheel with a slot for every second.
#
# A packet only writes its session's `expires`; the session stays in the slot it was put in, and when the
# wheel comes to that slot it either ends or moves on to where it is due now. So a busy session costs the
# wheel nothing per packet and an idle one nothing at all. Only a timer that becomes shorter moves a
# session in the wheel.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.packet cimport CLASS_ICMP, CLASS_TCP, CLASS_UDP
from nfmasq._hot.state.rules cimport Timeouts
from nfmasq._hot.state.table cimport OLD_TIMER, WHEEL, NatTable, Session
from nfmasq._hot.state.tcpstate cimport TCP_OPEN, TCP_OVER, tcp_timer
from nfmasq._hot.wire.wire cimport htons

cdef enum:
    DNS = 53                 # the port

cdef inline uint32_t tcp_timeout(const Timeouts* timeouts, uint8_t state) noexcept nogil:
    """Seconds that a TCP session in this state may be idle (RFC 7857 section 2.1)."""
    if tcp_timer[state] == TCP_OPEN:
        return timeouts.tcp_established
    return timeouts.tcp_closing if tcp_timer[state] == TCP_OVER else timeouts.tcp_opening

cdef inline uint32_t timeout_of(
    const Timeouts* timeouts, uint8_t transport, uint16_t remote_port
) noexcept nogil:
    """Seconds that a session of any transport but TCP may be idle.

    A question to port 53 has one answer, and a resolver asks each from another port (RFC 4787 REQ-5a).
    """
    if transport == CLASS_UDP:
        return timeouts.udp_dns if remote_port == htons(DNS) else timeouts.udp
    return timeouts.icmp if transport == CLASS_ICMP else timeouts.other

cdef inline uint32_t timer_of(const Timeouts* timeouts, const Session* session) noexcept nogil:
    """Seconds that this session may be idle."""
    if session.transport == CLASS_TCP:
        return tcp_timeout(timeouts, session.state)
    return timeout_of(timeouts, session.transport, session.remote_port)

cdef inline void wheel_insert(NatTable* table, uint32_t number) noexcept nogil:
    cdef Session* session = &table.sessions[number]
    cdef uint32_t due = session.expires
    cdef uint32_t* slot
    if <int>(due - table.wheel_now) < 1:
        due = table.wheel_now + 1
    elif due - table.wheel_now >= WHEEL:
        due = table.wheel_now + WHEEL - 1
    session.slot = <uint16_t>(due % WHEEL)
    slot = &table.wheel[session.slot]
    session.wheel_previous = 0
    session.wheel_next = slot[0]
    if slot[0]:
        table.sessions[slot[0]].wheel_previous = number
    slot[0] = number

cdef inline uint32_t due_of(const NatTable* table, const Session* session) noexcept nogil:
    """The second at which the wheel looks at it: the next one of its slot."""
    return table.wheel_now + (session.slot - table.wheel_now) % WHEEL

cdef inline void wheel_remove(NatTable* table, uint32_t number) noexcept nogil:
    cdef Session* session = &table.sessions[number]
    if session.wheel_previous:
        table.sessions[session.wheel_previous].wheel_next = session.wheel_next
    else:
        table.wheel[session.slot] = session.wheel_next
    if session.wheel_next:
        table.sessions[session.wheel_next].wheel_previous = session.wheel_previous

cdef inline void set_timer(NatTable* table, uint32_t number, uint32_t expires) noexcept nogil:
    """Let a session of the wheel end at `expires` unless it is refreshed."""
    cdef Session* session = &table.sessions[number]
    cdef bint shorter = <int>(expires - session.expires) < 0
    session.expires = expires
    session.flags &= <unsigned char>~OLD_TIMER
    if shorter and <int>(expires - due_of(table, session)) < 0:
        wheel_remove(table, number)
        wheel_insert(table, number)

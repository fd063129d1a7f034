# Expect: a packet from outside may fulfil an expectation, a session that a helper asked for in advance.
#
# An expectation is a session with EXPECTED set: it keeps its mapping and its port, is counted, has a timer
# and is recovered after a restart. Of its remote endpoint the port, or address and port, may be open (0).
# The first packet that fits takes its place in it, and the next one finds nothing: single use.
#
# A session with a key (keys) goes on knowing its control session. Its packets come from one side alone, and
# keep it alive while that session goes on.
#
# What ends it: its first packet, its timer, or the end of its control session, whose number it has. The
# helpers' thread withdraws it then, a moment later; until that moment is_meant keeps it shut.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from nfmasq._hot.state.evictable cimport join_line
from nfmasq._hot.state.index cimport Buckets, buckets_of, find_by_external, index_session, unindex_session
from nfmasq._hot.state.keys cimport is_keyed
from nfmasq._hot.state.packet cimport CLASS_TCP, OUTBOUND, Packet
from nfmasq._hot.state.rules cimport Rules
from nfmasq._hot.state.check cimport write_check
from nfmasq._hot.state.sessions cimport count_half_open
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, EXPECTED, NatTable, Session
from nfmasq._hot.state.tcpstate cimport TCP_NONE, is_over
from nfmasq._hot.state.timers cimport set_timer, tcp_timeout, timeout_of

cdef inline uint32_t first_timer(
    const Rules* rules, uint8_t transport, uint16_t remote_port
) noexcept nogil:
    """Seconds a session has until its second packet."""
    if transport == CLASS_TCP:
        return tcp_timeout(&rules.timeouts, TCP_NONE)
    return timeout_of(&rules.timeouts, transport, remote_port)

cdef inline bint is_meant(const NatTable* table, uint32_t number) noexcept nogil:
    """Does its control session go on? That record may be another's, which began later."""
    cdef const Session* session = &table.sessions[number]
    cdef const Session* control = &table.sessions[session.reopening]
    return session.reopening != 0 and session.reopening <= table.top[0] and (
        control.live and not is_over(control.state)
        and control.internal_address == session.internal_address
        and <int>(session.created - control.created) >= 0
    )

cdef inline uint32_t find_expected(const NatTable* table, const Packet* packet) noexcept nogil:
    """The narrowest expectation that the packet fulfils, or 0."""
    cdef uint32_t number
    if not table.expected:
        return 0
    number = packet.expected
    if not number:
        number = find_by_external(
            table, packet.protocol, packet.near_address, packet.near_port, packet.remote_address, 0
        )
    if not number:
        number = find_by_external(table, packet.protocol, packet.near_address, packet.near_port, 0, 0)
    if not number or not table.sessions[number].flags & EXPECTED or not is_meant(table, number):
        return 0
    return number

cdef inline void arrive(NatTable* table, Packet* packet, uint32_t number, uint32_t now) noexcept nogil:
    """Fulfil the expectation: the packet's remote endpoint is its own from now on."""
    cdef Session* session = &table.sessions[number]
    cdef Buckets buckets
    unindex_session(table, number)
    session.remote_address, session.remote_port = packet.remote_address, packet.remote_port
    session.flags &= <unsigned char>~EXPECTED
    if not is_keyed(session):
        session.reopening = 0
    write_check(session)
    if packet.direction != OUTBOUND:
        session.flags |= BEGUN_OUTSIDE
    buckets = buckets_of(table, session)
    index_session(table, number, &buckets)
    table.expected -= 1
    count_half_open(table, session, 1)
    if not is_keyed(session):
        join_line(table, number)
    set_timer(table, number, now + first_timer(&table.rules, session.transport, session.remote_port))
    packet.session = number

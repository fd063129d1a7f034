# Track: the session learns from the packet; the packet learns its new near endpoint.

from libc.stdint cimport uint8_t, uint32_t

from nfmasq._hot.base.likelihood cimport seldom
from nfmasq._hot.state.evictable cimport follow_state, leave_line
from nfmasq._hot.state.keys cimport is_keyed
from nfmasq._hot.state.packet cimport CLASS_TCP, ICMP_ERROR, INBOUND, OUTBOUND, TRANSLATE, Packet, drop
from nfmasq._hot.state.reasons cimport ICMP_QUOTE_OUT_OF_WINDOW, TCP_OUT_OF_WINDOW
from nfmasq._hot.state.sequence cimport COUNTING, OUTSIDE, Fit, confirms, follow, is_under_way
from nfmasq._hot.state.sessions cimport count_unanswered, set_state
from nfmasq._hot.state.table cimport NatTable, Session
from nfmasq._hot.state.tcpstate cimport TCP_ESTABLISHED, begins_anew, next_state, tcp_refreshed
from nfmasq._hot.state.timers cimport set_timer, tcp_timeout, timeout_of
from nfmasq._hot.state.traffic cimport count_packet, is_answered, packets_of
from nfmasq._hot.way.attach cimport attach_anew
from nfmasq._hot.way.correct cimport learn_correction
from nfmasq._hot.way.expect cimport is_meant
from nfmasq._hot.way.identify cimport identify
from nfmasq._hot.way.options cimport hide_in_options
from nfmasq._hot.way.revert cimport hide_options, learn_original, note_change, revert_options
from nfmasq._hot.wire.wire cimport SYN, TcpHeader, ntohl

cdef inline bint track_tcp(NatTable* table, Packet* packet, Session* session, uint32_t now) noexcept nogil:
    cdef uint8_t before = session.state
    cdef Fit fit = follow(session, packet.direction, packet)
    cdef uint8_t state
    if fit == OUTSIDE:
        return drop(packet, TCP_OUT_OF_WINDOW)
    if fit != COUNTING:
        return True
    state = next_state(session.state, packet.direction, packet.tcp_flags)
    if state == before and not tcp_refreshed[state]:
        if not confirms(session, packet.direction, packet.tcp_flags):
            return True
        state = TCP_ESTABLISHED
    if begins_anew(before, state):
        attach_anew(table, packet)
    if state != session.state:
        set_state(table, packet.session, state)
    elif state != before:                            # by an answer to a SYN in the middle
        follow_state(table, packet.session)
    set_timer(table, packet.session, now + tcp_timeout(&table.rules.timeouts, state))
    return True

cdef inline void note_first(NatTable* table, const Packet* packet, const Session* session) noexcept nogil:
    """The packet is its side's first in this session; it may be the answer."""
    if packet.direction == OUTBOUND:
        count_unanswered(table, session, -1)
    if packet.transport != CLASS_TCP and packets_of(&session.traffic, not packet.direction):
        leave_line(table, packet.session)

cdef inline void count_session(NatTable* table, const Packet* packet, Session* session) noexcept nogil:
    if packets_of(&session.traffic, packet.direction) == 0:
        note_first(table, packet, session)
    count_packet(&session.traffic, packet.direction, packet.length)

cdef inline bint track_error(Packet* packet, const Session* session) noexcept nogil:
    """An ICMP error neither refreshes nor ends the session it is about (RFC 4787 REQ-12, RFC 5508 REQ-6).

    One about TCP must quote a segment that may be under way: a forger has not seen one (RFC 5927).
    """
    cdef TcpHeader* quoted = <TcpHeader*>packet.quoted_l4
    if packet.transport == CLASS_TCP and not is_under_way(
        session, INBOUND if packet.direction == OUTBOUND else OUTBOUND, ntohl(quoted.sequence)
    ):
        return drop(packet, ICMP_QUOTE_OUT_OF_WINDOW)
    return True

cdef inline void refresh(
    NatTable* table, const Packet* packet, const Session* session, uint32_t now
) noexcept nogil:
    """A packet from outside refreshes only a session that has one from inside (RFC 7857 section 7).

    A keyed one has packets of one direction alone; its control session answers for it, where it is known.
    """
    if packet.direction == OUTBOUND or is_answered(session) or (
        seldom(is_keyed(session)) and (session.reopening == 0 or is_meant(table, packet.session))
    ):
        set_timer(table, packet.session, now + timeout_of(
            &table.rules.timeouts, packet.transport, session.remote_port
        ))

cdef inline void become(NatTable* table, Packet* packet, const Session* session) noexcept nogil:
    """Copy from the session all that rewriting needs."""
    packet.verdict = TRANSLATE
    if packet.direction == OUTBOUND:
        packet.new_address, packet.new_port = session.external_address, session.external_port
        identify(table, packet)
        if packet.has_options:
            hide_options(table, packet, session.external_address)
            if packet.quoted != NULL:
                hide_in_options(&table.rules, packet.quoted, session.external_address)
    else:
        packet.new_address, packet.new_port = session.internal_address, session.internal_port
        if packet.has_options and packet.quoted != NULL:
            revert_options(table, packet)
    learn_correction(packet, session)
    if packet.tcp_flags & SYN:
        packet.most_mss = table.rules.uplinks[session.uplink].mss
    if packet.quoted != NULL:
        learn_original(table, packet)
    elif packet.renumbered or packet.most_mss:
        note_change(table, packet)

cdef inline bint track(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Bring the session up to date. False: the packet is none of it, and dropped."""
    cdef Session* session = &table.sessions[packet.session]
    if packet.kind == ICMP_ERROR:
        if not track_error(packet, session):
            return False
    else:
        if packet.transport == CLASS_TCP:
            if not track_tcp(table, packet, session, now):
                return False
        else:
            refresh(table, packet, session, now)
        count_session(table, packet, session)
    become(table, packet, session)
    return True

# Track: what a packet tells about its session, and what the packet's near endpoint becomes.

from libc.stdint cimport uint8_t, uint32_t

from nfmasq._hot.options cimport hide_in_options
from nfmasq._hot.packet cimport CLASS_TCP, ICMP_ERROR, OUTBOUND, TRANSLATE, Packet
from nfmasq._hot.rules cimport Rules
from nfmasq._hot.table cimport NatTable, Session
from nfmasq._hot.tcpstate cimport next_state, tcp_long_timer, tcp_refreshed
from nfmasq._hot.timers cimport set_timer
from nfmasq._hot.wire cimport IpHeader

cdef inline void track_tcp(NatTable* table, Packet* packet, Session* session, uint32_t now) noexcept nogil:
    cdef const Rules* rules = &table.rules
    cdef uint8_t state = next_state(session.state, packet.direction, packet.tcp_flags)
    if state == session.state and not tcp_refreshed[state]:
        return
    session.state = state
    set_timer(
        table, packet.session,
        now + (rules.timeout[CLASS_TCP] if tcp_long_timer[state] else rules.tcp_transitory),
    )

cdef inline void count_session(Packet* packet, Session* session) noexcept nogil:
    if packet.direction == OUTBOUND:
        session.packets_out += 1
        session.bytes_out += packet.length
    else:
        session.packets_in += 1
        session.bytes_in += packet.length

cdef inline void track(NatTable* table, Packet* packet, uint32_t now) noexcept nogil:
    """Bring the session up to date and copy from it all that rewriting needs.

    An ICMP error neither refreshes nor ends the session it is about (RFC 4787 REQ-12, RFC 5508 REQ-6).
    """
    cdef Session* session = &table.sessions[packet.session]
    packet.verdict = TRANSLATE
    if packet.direction == OUTBOUND:
        packet.new_address, packet.new_port = session.external_address, session.external_port
    else:
        packet.new_address, packet.new_port = session.internal_address, session.internal_port
    if packet.has_options and packet.direction == OUTBOUND:
        hide_in_options(&table.rules, <IpHeader*>packet.data, session.external_address)
        if packet.quoted != NULL:
            hide_in_options(&table.rules, packet.quoted, session.external_address)
    if packet.kind == ICMP_ERROR:
        return
    count_session(packet, session)
    if packet.transport == CLASS_TCP:
        track_tcp(table, packet, session, now)
    else:
        set_timer(table, packet.session, now + table.rules.timeout[packet.transport])

# Attach: which helper reads a session that begins, or a connection that begins anew in one.

from libc.stdint cimport uint16_t

from nfmasq._hot.state.packet cimport OUTBOUND, Packet
from nfmasq._hot.state.rules cimport helper_of
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, SCOPE_STATIC, NatTable, Session
from nfmasq._hot.wire.wire cimport ntohs

cdef inline void attach_helper(NatTable* table, const Packet* packet) noexcept nogil:
    """By the remote port where the packet leaves, by the internal one of a forward where it comes in.

    An expectation has none, nor has a hairpinned session.
    """
    cdef Session* session = &table.sessions[packet.session]
    cdef uint16_t port = session.remote_port if packet.direction == OUTBOUND else session.internal_port
    if table.rules.helper_port_count == 0 or packet.marked:
        return
    if packet.direction != OUTBOUND and session.scope < SCOPE_STATIC:
        return
    session.helper = helper_of(&table.rules, session.protocol, ntohs(port), session.internal_address)

cdef inline void attach_anew(NatTable* table, const Packet* packet) noexcept nogil:
    """The packet's SYN begins the session anew: its helper is chosen again, for the side that begins now."""
    cdef Session* session = &table.sessions[packet.session]
    session.helper = 0
    session.flags &= <unsigned char>~BEGUN_OUTSIDE
    if packet.direction != OUTBOUND:
        session.flags |= BEGUN_OUTSIDE
    attach_helper(table, packet)

# Attach: which helper reads a session that begins, or a connection that begins anew in one.

from libc.stdint cimport uint16_t, uint32_t

from nfmasq._hot.state.packet cimport CLASS_UDP, OUTBOUND, Packet
from nfmasq._hot.state.rules cimport helper_of
from nfmasq._hot.state.sessions cimport help_again, helper_by_ports
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, HELPED_TWICE, SCOPE_STATIC, NatTable, Session
from nfmasq._hot.wire.wire cimport ntohs

cdef inline void attach_helper(NatTable* table, const Packet* packet) noexcept nogil:
    """By the remote port where the packet leaves, by the internal one of a forward where it comes in.

    Over UDP by either port (helper_by_ports). An expectation has the helper that was announced with it.
    """
    cdef Session* session = &table.sessions[packet.session]
    cdef uint16_t port = session.remote_port if packet.direction == OUTBOUND else session.internal_port
    if table.rules.helper_port_count == 0:
        return
    if session.transport == CLASS_UDP:
        session.helper = helper_by_ports(&table.rules, session)
    elif packet.direction == OUTBOUND or session.scope >= SCOPE_STATIC:
        session.helper = helper_of(&table.rules, session.protocol, ntohs(port), session.internal_address)

cdef inline bint is_for_helper(
    const NatTable* table, const Packet* packet, uint32_t internal, uint16_t port
) noexcept nogil:
    """Would a helper read the session of this internal endpoint, whichever side began it?"""
    return table.rules.helper_port_count != 0 and (
        helper_of(&table.rules, packet.protocol, ntohs(port), internal) != 0
        or helper_of(&table.rules, packet.protocol, ntohs(packet.remote_port), internal) != 0
    )

cdef inline void share_helper(NatTable* table, uint32_t sender, uint32_t receiver) noexcept nogil:
    """Let both sessions of a hairpinned connection have a helper where one has: it is one connection.

    Both are let go together, so only one that has just begun differs from the other.
    """
    cdef Session* near = &table.sessions[sender]
    cdef Session* far = &table.sessions[receiver]
    help_again(&table.rules, near)
    help_again(&table.rules, far)
    if near.helper == 0:
        near.helper = far.helper
    elif far.helper == 0:
        far.helper = near.helper
    if near.helper:
        near.flags |= HELPED_TWICE
        far.flags |= HELPED_TWICE

cdef inline void attach_anew(NatTable* table, const Packet* packet) noexcept nogil:
    """The packet's SYN begins the session anew: its helper is chosen again, for the side that begins now."""
    cdef Session* session = &table.sessions[packet.session]
    session.helper = 0
    session.flags &= <unsigned char>~BEGUN_OUTSIDE
    if packet.direction != OUTBOUND:
        session.flags |= BEGUN_OUTSIDE
    attach_helper(table, packet)

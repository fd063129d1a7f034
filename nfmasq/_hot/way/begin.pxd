# Begin: may this packet begin a session, and the session it begins.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.packet cimport CLASS_TCP, ICMP_REPLY, OUTBOUND, Packet, drop, let_by
from nfmasq._hot.state.reasons cimport ICMP_NO_SESSION, TCP_NO_SESSION
from nfmasq._hot.state.sessions cimport begin_session
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, NatTable
from nfmasq._hot.way.attach cimport attach_helper
from nfmasq._hot.way.expect cimport first_timer
from nfmasq._hot.wire.wire cimport ACK, SYN

cdef inline bint may_begin(Packet* packet) noexcept nogil:
    """Is this the first packet of anything? TCP begins with a SYN, a query with a request."""
    if packet.transport == CLASS_TCP and packet.tcp_flags & (SYN | ACK) != SYN:
        if packet.direction == OUTBOUND:
            return drop(packet, TCP_NO_SESSION)
        return let_by(packet, TCP_NO_SESSION)
    if packet.kind == ICMP_REPLY:
        return drop(packet, ICMP_NO_SESSION)
    return True

cdef inline void admit_session(
    NatTable* table, Packet* packet, uint32_t mapping, uint32_t now
) noexcept nogil:
    packet.session = begin_session(
        table, mapping, packet.remote_address, packet.remote_port,
        now, now + first_timer(&table.rules, packet.transport, packet.remote_port),
        0 if packet.direction == OUTBOUND else BEGUN_OUTSIDE,
    )
    attach_helper(table, packet)

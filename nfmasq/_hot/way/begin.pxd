# Begin: may this packet begin a session, and the session it begins.
#
# By a forward a connection also goes on whose session is lost, after a reboot or a flush: the forward says
# which endpoints are meant, whichever side speaks first. The other side's answer decides whether there is
# such a connection; until then the session counts as half-open. Any other segment of no session gets an RST
# (refuse), for the external port it had is not known any more.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.packet cimport CLASS_TCP, DATA, ICMP_REPLY, OUTBOUND, Packet, drop, let_by
from nfmasq._hot.state.reasons cimport ICMP_NO_SESSION, TCP_NO_SESSION
from nfmasq._hot.state.sequence cimport pick_up
from nfmasq._hot.state.sessions cimport begin_session
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, NatTable
from nfmasq._hot.way.attach cimport attach_helper
from nfmasq._hot.way.expect cimport first_timer
from nfmasq._hot.wire.wire cimport ACK, RST, SYN

cdef inline bint may_begin(Packet* packet) noexcept nogil:
    """Is this the first packet of anything? TCP begins with a SYN, a query with a request."""
    if packet.transport == CLASS_TCP and packet.tcp_flags & (SYN | ACK) != SYN:
        if packet.direction == OUTBOUND:
            return drop(packet, TCP_NO_SESSION)
        return let_by(packet, TCP_NO_SESSION)
    if packet.kind == ICMP_REPLY:
        return drop(packet, ICMP_NO_SESSION)
    return True

cdef inline bint is_of_middle(const Packet* packet) noexcept nogil:
    """Is it a segment of a connection that has begun? An RST ends one, and is of no use to a lost session."""
    return packet.transport == CLASS_TCP and packet.kind == DATA and not packet.tcp_flags & (SYN | RST)

cdef inline void admit_session(
    NatTable* table, Packet* packet, uint32_t mapping, uint32_t now
) noexcept nogil:
    packet.session = begin_session(
        table, mapping, packet.remote_address, packet.remote_port,
        now, now + first_timer(&table.rules, packet.transport, packet.remote_port),
        0 if packet.direction == OUTBOUND else BEGUN_OUTSIDE, packet.bucket,
    )
    if is_of_middle(packet):
        pick_up(&table.sessions[packet.session], packet.direction, packet)
    else:                                            # a helper reads from the first byte or not at all
        attach_helper(table, packet)

# Set aside: the packet of a session that has a helper is copied for it, with its session's endpoints.
#
# A hairpinned packet is set aside once, for both sides' sessions: the helpers' thread lets it go out and come
# in again, so each side's helper sees the other side by its external endpoint.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.aside cimport Aside, Helped, new_aside
from nfmasq._hot.state.capacity cimport MOST_SET_ASIDE
from nfmasq._hot.state.packet cimport (
    ASIDE, CLASS_UDP, ICMP_ERROR, OUTBOUND, Packet, drop,
)
from nfmasq._hot.state.reasons cimport HELPERS_BUSY
from nfmasq._hot.state.sessions cimport name_session
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, NatTable, Session

cdef inline void write_helped(NatTable* table, uint32_t number, Helped* helped) noexcept nogil:
    cdef Session* session = &table.sessions[number]
    helped.session = number
    helped.serial = name_session(table, number)
    helped.helper = session.helper
    helped.inside_began = not session.flags & BEGUN_OUTSIDE
    helped.internal_address, helped.internal_port = session.internal_address, session.internal_port
    helped.external_address, helped.external_port = session.external_address, session.external_port
    helped.remote_address, helped.remote_port = session.remote_address, session.remote_port

cdef inline bint is_read_in_parts(const NatTable* table, const Packet* packet) noexcept nogil:
    """Is it a train of datagrams whose session a helper reads? A helper reads single datagrams."""
    return (
        packet.gso and packet.transport == CLASS_UDP and table.sessions[packet.session].helper != 0
    )

cdef inline bint set_aside_for(
    NatTable* table, Packet* packet, uint32_t reader, uint32_t receiver, bint outbound
) noexcept nogil:
    """Keep a tracked packet for two sessions' helpers, or with a receiver of 0 for one's."""
    cdef Aside* entry
    if packet.kind == ICMP_ERROR:
        return True                  # helpers do not read ICMP errors
    entry = new_aside(packet.length) if table.aside.count < MOST_SET_ASIDE else NULL
    if entry == NULL:
        return drop(packet, HELPERS_BUSY)
    entry.outbound = outbound
    entry.mark, entry.marked = packet.mark, packet.marked
    write_helped(table, reader, &entry.reader)
    entry.receiver.session = 0
    if receiver:
        write_helped(table, receiver, &entry.receiver)
    packet.aside = entry
    packet.verdict = ASIDE
    return True

cdef inline bint set_aside(NatTable* table, Packet* packet) noexcept nogil:
    """Keep a tracked packet for its session's helper."""
    return set_aside_for(table, packet, packet.session, 0, packet.direction == OUTBOUND)

# Set aside: the packet of a session that has a helper is copied for it, with its session's endpoints.

from nfmasq._hot.state.aside cimport Aside, new_aside
from nfmasq._hot.state.capacity cimport MOST_SET_ASIDE
from nfmasq._hot.state.packet cimport ASIDE, ICMP_ERROR, OUTBOUND, Packet, drop
from nfmasq._hot.state.reasons cimport HELPERS_BUSY
from nfmasq._hot.state.sessions cimport name_session
from nfmasq._hot.state.table cimport BEGUN_OUTSIDE, NatTable, Session

cdef inline bint set_aside(NatTable* table, Packet* packet) noexcept nogil:
    """Keep a tracked packet for its session's helper. Helpers do not read ICMP errors."""
    cdef Session* session = &table.sessions[packet.session]
    cdef Aside* entry
    if packet.kind == ICMP_ERROR:
        return True
    entry = new_aside(packet.length) if table.aside.count < MOST_SET_ASIDE else NULL
    if entry == NULL:
        return drop(packet, HELPERS_BUSY)
    entry.session = packet.session
    entry.serial = name_session(table, packet.session)
    entry.helper = session.helper
    entry.outbound = packet.direction == OUTBOUND
    entry.inside_began = not session.flags & BEGUN_OUTSIDE
    entry.internal_address, entry.internal_port = session.internal_address, session.internal_port
    entry.external_address, entry.external_port = session.external_address, session.external_port
    entry.remote_address, entry.remote_port = session.remote_address, session.remote_port
    packet.aside = entry
    packet.verdict = ASIDE
    return True

# Limits: is there room for one more session, in all and for its host?
#
# The newcomer is refused; nothing that lives is ended to make room (RFC 6888 REQ-11 D). What comes from
# outside may use up no more than half of any limit before it is answered: the host itself has the other half.

from libc.stdint cimport uint32_t

from nfmasq._hot.state.packet cimport CLASS_TCP, INBOUND, Packet, drop
from nfmasq._hot.state.reasons cimport (
    HALF_OPEN_FULL, HOST_HALF_OPEN_FULL, HOST_PORTS_FULL, HOST_RATE_EXCEEDED, HOST_SESSIONS_FULL,
    RATE_EXCEEDED, SESSIONS_FULL,
)
from nfmasq._hot.state.rules cimport Limits
from nfmasq._hot.state.table cimport Host, NatTable

cdef inline uint32_t live_sessions(const NatTable* table) noexcept nogil:
    return (
        table.session_count[0] + table.session_count[1] + table.session_count[2] + table.session_count[3]
    )

cdef inline bint is_full(uint32_t count, uint32_t most) noexcept nogil:
    return most != 0 and count >= most

cdef inline bint is_half_full(uint32_t count, uint32_t most) noexcept nogil:
    return most != 0 and count >= (most + 1) // 2

cdef inline bint host_has_room(
    const Limits* limits, Packet* packet, const Host* host, uint32_t now
) noexcept nogil:
    cdef uint32_t begun = host.begun if host.second == now else 0
    cdef bint asked = packet.direction == INBOUND
    if is_full(host.sessions, limits.sessions_per_host) or (
        asked and is_half_full(host.unanswered, limits.sessions_per_host)
    ):
        return drop(packet, HOST_SESSIONS_FULL)
    if packet.transport == CLASS_TCP and (
        is_full(host.half_open, limits.half_open_per_host)
        or asked and is_half_full(host.half_open, limits.half_open_per_host)
    ):
        return drop(packet, HOST_HALF_OPEN_FULL)
    if is_full(begun, limits.new_per_second_per_host) or (
        asked and is_half_full(begun, limits.new_per_second_per_host)
    ):
        return drop(packet, HOST_RATE_EXCEEDED)
    return True

cdef inline bint within_limits(
    const NatTable* table, Packet* packet, uint32_t host, uint32_t now
) noexcept nogil:
    """May the packet begin a session of this host (0: one that has none yet)?"""
    cdef const Limits* limits = &table.rules.limits
    cdef uint32_t most = min(limits.sessions, table.capacity)
    cdef uint32_t begun = table.begun if table.second == now else 0
    cdef bint asked = packet.direction == INBOUND
    if live_sessions(table) >= min(most, table.reserved) or asked and is_half_full(table.unanswered, most):
        return drop(packet, SESSIONS_FULL)
    if host and not host_has_room(limits, packet, &table.hosts[host], now):
        return False
    if packet.transport == CLASS_TCP and (
        is_full(table.half_open, limits.half_open)
        or asked and is_half_full(table.half_open, limits.half_open)
    ):
        return drop(packet, HALF_OPEN_FULL)
    if is_full(begun, limits.new_per_second) or asked and is_half_full(begun, limits.new_per_second):
        return drop(packet, RATE_EXCEEDED)
    return True

cdef inline bint may_have_port(const NatTable* table, Packet* packet, uint32_t host) noexcept nogil:
    """May the host have one more mapping (RFC 6888 REQ-4)? From outside, a forward's."""
    cdef uint32_t most = table.rules.limits.ports_per_host
    if host and (
        is_full(table.hosts[host].mappings, most)
        or packet.direction == INBOUND and is_half_full(table.hosts[host].unanswered, most)
    ):
        return drop(packet, HOST_PORTS_FULL)
    return True
